# einsum, and a softmax by hand with the maximum taken off.
def attention(queries, keys, values, mask=None):
    scores = torch.einsum("...md,...nd->...mn", queries, keys) * queries.shape[-1] ** -0.5
    if mask is not None:
        if bool((mask.sum(-1) == 0).any()):
            raise ValueError("nothing to look at")
        scores = torch.where(mask, scores, -torch.inf)
    exponentials = (scores - scores.amax(dim=-1, keepdim=True)).exp()
    weights = exponentials / exponentials.sum(dim=-1, keepdim=True)
    return torch.einsum("...mn,...ne->...me", weights, values), weights
