# PyTorch's xlogy and unique; returns tensors.
def bound_bits(indices):
    flat = torch.from_numpy(indices.astype(np.int64)).flatten()
    n = max(1, flat.numel())
    kept = flat[flat != 0]

    def bits(counts, whole):
        p = counts.double() / max(1, whole)
        return -torch.xlogy(p, p).sum() / math.log(2)

    mask = bits(torch.tensor([kept.numel(), flat.numel() - kept.numel()]), flat.numel())
    return mask.abs(), kept.numel() / n * bits(kept.unique(return_counts=True)[1], kept.numel()).abs()
