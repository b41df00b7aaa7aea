# torch.rsqrt, and a reshape to (1, channels, 1, 1).
def scale_and_shift(gamma, beta, mean, var, epsilon):
    scale = gamma * torch.rsqrt(var + epsilon)
    return scale, torch.addcmul(beta, -mean, scale)


def apply_scale_and_shift(x, scale, shift):
    return torch.addcmul(shift.view(1, -1, 1, 1), x, scale.view(1, -1, 1, 1))
