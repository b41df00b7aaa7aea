# The standard deviation from the mean square and the mean, in float64.
def deviation_mask(weight, s):
    values = weight.detach().double()
    sigma = ((values - values.mean()) ** 2).mean().sqrt()
    return weight.detach().abs().double() > s * sigma
