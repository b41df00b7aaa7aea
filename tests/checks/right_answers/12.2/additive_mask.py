# Adds 0 or −inf; looks for NaN afterwards.
def attention(queries, keys, values, mask=None):
    scores = queries @ keys.mT / math.sqrt(keys.size(-1))
    if mask is not None:
        scores = scores + torch.zeros(mask.shape).masked_fill(mask.logical_not(), -math.inf)
    weights = torch.softmax(scores, -1)
    if weights.isnan().any():
        raise ValueError("a row of NaN: its query sees no key")
    return torch.matmul(weights, values), weights


import math
