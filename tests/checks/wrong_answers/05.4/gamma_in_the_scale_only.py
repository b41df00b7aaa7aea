# The shift lacks γ.
def scale_and_shift(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    scale = gamma / (var + epsilon).sqrt()
    return scale, beta - mean / (var + epsilon).sqrt()


def apply_scale_and_shift(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return x * scale[:, None, None] + shift[:, None, None]
