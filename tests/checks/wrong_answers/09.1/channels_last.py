# Orders the columns by place in the kernel first, channel last.
def unfold_inputs(x: Tensor, kernel: int, padding: int) -> Tensor:
    columns = functional.unfold(x, kernel, padding=padding)
    n, _, positions = columns.shape
    return columns.view(n, x.shape[1], -1, positions).permute(0, 3, 2, 1).reshape(n * positions, -1)
