# The rank of a filter decides.
def filter_mask(weight, share):
    norms = torch.linalg.vector_norm(weight.detach().double().flatten(1), ord=1, dim=1)
    ranks = norms.argsort(stable=True).argsort()
    kept = ranks >= round(share * len(norms))
    return kept.reshape(-1, *[1] * (weight.dim() - 1)).broadcast_to(weight.shape).contiguous()
