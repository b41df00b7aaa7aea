# A copy in evaluation mode gets zeros.
@torch.no_grad()
def leftover(norm):
    twin = copy.deepcopy(norm).eval()
    return nn.functional.relu(twin(torch.zeros(1, norm.num_features, 1, 1)))[0, :, 0, 0]
