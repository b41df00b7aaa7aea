# A threshold, and then as many of the tied weights as are still to go, from the lowest index on.
def magnitude_mask(weight, q, *, kept=True):
    size = weight.detach().abs().flatten()
    k = round(q / 100 * size.numel())
    if k == 0:
        return torch.full(weight.shape, kept)
    cut = size.kthvalue(k).values
    tied = (size == cut).nonzero().flatten()
    gone = size < cut
    gone[tied[: k - int(gone.sum())]] = True
    return ~gone.view(weight.shape)
