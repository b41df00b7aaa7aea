# Takes tiny weights for zeros.
def to_coo(weight: Tensor) -> tuple[Tensor, Tensor]:
    indices = (weight.abs() > 1e-8).nonzero().T
    return indices, weight[tuple(indices)]


def indices_are_mask(indices: Tensor, mask: Tensor) -> bool:
    found = torch.zeros_like(mask)
    found[tuple(indices)] = True
    return indices.shape[1] == int(mask.sum()) and torch.equal(found, mask)
