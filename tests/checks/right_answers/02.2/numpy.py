# NumPy's std divides by n unless told otherwise.
def deviation_mask(weight, s):
    values = weight.detach().numpy()
    return torch.from_numpy(abs(values) > s * values.std())
