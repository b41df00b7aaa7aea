# A convolution with ones, divided by a convolution of ones.
def moving_average(values, window):
    box = torch.ones(1, 1, window, dtype=torch.float64)
    x = torch.tensor(values, dtype=torch.float64).view(1, 1, -1)
    summed, counts = (nn.functional.conv1d(v, box, padding=window // 2) for v in (x, torch.ones_like(x)))
    return (summed / counts).flatten()
