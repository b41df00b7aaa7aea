# Applies scale and shift along the width of the image.
def fold(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    scale = gamma / (var + epsilon).sqrt()
    return scale, beta - mean * scale


def apply_folded(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return x * scale + shift
