# Wants the coordinates in order.
def to_coo(weight: Tensor) -> tuple[Tensor, Tensor]:
    indices = weight.nonzero().T
    return indices, weight[tuple(indices)]


def indices_are_mask(indices: Tensor, mask: Tensor) -> bool:
    return torch.equal(indices, mask.nonzero().T)
