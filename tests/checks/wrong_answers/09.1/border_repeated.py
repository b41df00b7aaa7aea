# Repeats the border instead of padding with zeros.
def unfold_inputs(x: Tensor, kernel: int, padding: int) -> Tensor:
    padded = functional.pad(x, (padding,) * 4, mode="replicate")
    return functional.unfold(padded, kernel).transpose(1, 2).flatten(0, 1)
