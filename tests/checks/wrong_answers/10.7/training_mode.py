# Feeds zeros in whatever mode the layer is in, and moves its statistics.
def leftover(norm):
    zeros = torch.zeros(2, norm.num_features, 1, 1)
    return norm(zeros).relu()[0].flatten().detach()
