# Recursion over the steps.
def greedy(model, source, start, steps):
    memory = model.encode(source)

    def continued(written):
        if written.shape[1] > steps:
            return written[:, 1:]
        best = torch.argmax(model.decode(written, memory, source)[:, -1], dim=1)
        return continued(torch.cat([written, best.unsqueeze(1)], dim=1))

    return continued(torch.tensor([[start]] * len(source)))
