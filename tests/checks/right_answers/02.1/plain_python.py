# Sorts pairs of magnitude and index in plain Python.
def magnitude_mask(weight, q):
    values = weight.detach().flatten().tolist()
    pairs = sorted((abs(value), index) for index, value in enumerate(values))
    gone = {index for _, index in pairs[: round(q / 100 * len(values))]}
    return torch.tensor([index not in gone for index in range(len(values))]).reshape(weight.shape)
