# A loop over channels; power −½ instead of a root.
def scale_and_shift(gamma, beta, mean, var, epsilon):
    scale = (var + epsilon).pow(-0.5).mul(gamma)
    return scale, beta.sub(scale.mul(mean))


def apply_scale_and_shift(x, scale, shift):
    result = torch.empty_like(x)
    for channel in range(x.shape[1]):
        result[:, channel] = x[:, channel] * scale[channel] + shift[channel]
    return result
