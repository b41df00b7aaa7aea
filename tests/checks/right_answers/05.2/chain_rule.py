# By the chain rule: the values take what the joint entropy has beyond the mask's.
def bound_bits(indices):
    if indices.size == 0:
        return 0.0, 0.0
    p = np.unique(indices, return_counts=True)[1] / indices.size
    joint = -np.sum(p * np.log2(p))
    share = np.count_nonzero(indices) / indices.size
    mask = -sum(q * math.log2(q) for q in (share, 1 - share) if q > 0)
    return mask, max(0.0, joint - mask)
