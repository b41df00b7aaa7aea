# Ranks by sorting twice; a weight stays if its rank is at least k.
def magnitude_mask(weight, q):
    ranks = weight.detach().abs().reshape(-1).sort(stable=True).indices.argsort()
    return (ranks >= round(weight.numel() * q / 100)).reshape(weight.shape)
