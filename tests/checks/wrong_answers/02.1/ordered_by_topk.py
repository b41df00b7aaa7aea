# Trusts topk, which promises no order among equals.
def magnitude_mask(weight: Tensor, q: float) -> Tensor:
    mask = torch.ones(weight.numel(), dtype=torch.bool)
    k = round(q / 100 * weight.numel())
    mask[weight.detach().abs().flatten().topk(k, largest=False).indices] = False
    return mask.view(weight.shape)
