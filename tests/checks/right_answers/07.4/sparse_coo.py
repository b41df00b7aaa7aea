# PyTorch's own COO tensor; the mask is compared as a sorted list of flat positions.
def to_coo(weight):
    stored = weight.to_sparse_coo().coalesce()
    return stored.indices(), stored.values()


def indices_are_mask(indices, mask):
    if indices.shape[1] == 0:
        return not bool(mask.any())
    places = sorted(map(tuple, indices.T.tolist()))
    return places == [tuple(place) for place in mask.nonzero().tolist()]
