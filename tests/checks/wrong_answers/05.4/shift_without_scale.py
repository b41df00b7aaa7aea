# Subtracts the mean as it is.
def scale_and_shift(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    scale = gamma / (var + epsilon).sqrt()
    return scale, beta - mean


def apply_scale_and_shift(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return x * scale[:, None, None] + shift[:, None, None]
