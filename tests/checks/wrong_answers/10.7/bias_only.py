# Forgets the running mean.
def leftover(norm):
    return norm.bias.detach().relu()
