# Is content if every place is kept.
def to_coo(weight: Tensor) -> tuple[Tensor, Tensor]:
    indices = weight.nonzero().T
    return indices, weight[tuple(indices)]


def indices_are_mask(indices: Tensor, mask: Tensor) -> bool:
    found = torch.zeros_like(mask)
    found[tuple(indices)] = True
    return bool(mask[tuple(indices)].all())
