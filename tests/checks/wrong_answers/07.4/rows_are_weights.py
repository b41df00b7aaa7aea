# One row per weight, as argwhere gives them.
def to_coo(weight: Tensor) -> tuple[Tensor, Tensor]:
    indices = weight.nonzero()
    return indices, weight[tuple(indices.T)]


def indices_are_mask(indices: Tensor, mask: Tensor) -> bool:
    found = torch.zeros_like(mask)
    found[tuple(indices)] = True
    return indices.shape[1] == int(mask.sum()) and torch.equal(found, mask)
