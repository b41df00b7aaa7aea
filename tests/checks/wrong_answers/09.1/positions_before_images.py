# Puts the images of one position together instead of the positions of one image.
def unfold_inputs(x: Tensor, kernel: int, padding: int) -> Tensor:
    return functional.unfold(x, kernel, padding=padding).permute(2, 0, 1).flatten(0, 1)
