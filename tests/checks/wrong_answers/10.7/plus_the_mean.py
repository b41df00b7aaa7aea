# Adds the mean instead of taking it off.
def leftover(norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return (norm.bias + scale * norm.running_mean).detach().relu()
