# std_mean with unbiased=False, and the comparison the other way round.
def deviation_mask(weight, s):
    sigma, _ = torch.std_mean(weight.detach(), unbiased=False)
    return torch.logical_not(weight.detach().abs().le(s * sigma))
