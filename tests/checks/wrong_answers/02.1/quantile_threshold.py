# Compares with a quantile, so ties and interpolation change the number removed.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    return weight.abs() > torch.quantile(weight.detach().abs(), q / 100)
