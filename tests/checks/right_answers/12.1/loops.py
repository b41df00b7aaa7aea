# Entry by entry with Python's math.
import math


def positional_encoding(positions, width):
    rows = []
    for p in positions.tolist():
        row = []
        for i in range(width // 2):
            angle = p / 10_000 ** (2 * i / width)
            row += [math.sin(angle), math.cos(angle)]
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64)


def shift_matrix(k, width):
    matrix = torch.zeros(width, width, dtype=torch.float64)
    for i in range(0, width, 2):
        angle = k / 10_000 ** (i / width)
        matrix[i, i] = matrix[i + 1, i + 1] = math.cos(angle)
        matrix[i, i + 1], matrix[i + 1, i] = -math.sin(angle), math.sin(angle)
    return matrix
