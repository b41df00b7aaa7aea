# Reads the memory of unfold as if its positions came first.
def unfold_inputs(x: Tensor, kernel: int, padding: int) -> Tensor:
    columns = functional.unfold(x, kernel, padding=padding)
    return columns.reshape(-1, columns.shape[1])
