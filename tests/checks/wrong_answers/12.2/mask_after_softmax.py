# Sets weights to zero after the softmax, so rows no longer sum to 1.
def attention(
    queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
    if mask is not None:
        if not mask.any(dim=-1).all():
            raise ValueError("a query may look at no key")
    weights = scores.softmax(dim=-1)
    if mask is not None:
        weights = weights * mask
    return weights @ values, weights
