# Tensor.unfold in both directions, then a permutation.
def unfold_inputs(x, kernel, padding):
    windows = functional.pad(x, [padding] * 4).unfold(2, kernel, 1).unfold(3, kernel, 1)
    return windows.permute(0, 2, 3, 1, 4, 5).reshape(-1, x.shape[1] * kernel**2)
