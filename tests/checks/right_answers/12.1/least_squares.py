# Finds the matrix by solving for it from many positions; complex numbers for the encoding.
def positional_encoding(positions, width):
    omega = 10_000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    turned = torch.polar(torch.ones(len(positions), len(omega), dtype=torch.float64), positions[:, None] * omega)
    return torch.view_as_real(turned).flip(-1).flatten(1)


def shift_matrix(k, width):
    rows = []
    for w in (10_000 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)).tolist():
        places = torch.arange(2) * (1.5 / w)
        before = torch.stack([(places * w).sin(), (places * w).cos()], dim=1).double()
        after = torch.stack([((places + k) * w).sin(), ((places + k) * w).cos()], dim=1).double()
        rows.append((before, after))
    exact = []
    for index, _ in enumerate(rows):
        w = 10_000 ** (-2 * index / width)
        places = torch.tensor([0.0, 1.5], dtype=torch.float64) / w
        before = torch.stack([(places * w).sin(), (places * w).cos()], dim=1)
        after = torch.stack([((places + k) * w).sin(), ((places + k) * w).cos()], dim=1)
        exact.append(torch.linalg.solve(before, after))
    return torch.block_diag(*exact)
