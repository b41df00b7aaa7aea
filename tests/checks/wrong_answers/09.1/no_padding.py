# Forgets the zeros around the image.
def unfold_inputs(x: Tensor, kernel: int, padding: int) -> Tensor:
    return functional.unfold(x, kernel).transpose(1, 2).flatten(0, 1)
