# Takes the mean over each batch, so images of small batches count more.
def hessian_gradient_product(model, batches, temperature=200.0):
    weights = models.prunable_weights(model)

    def gradient(images, labels, twice):
        loss = functional.cross_entropy(model(images) / temperature, labels)
        return torch.autograd.grad(loss, list(weights.values()), create_graph=twice)

    total = [sum(parts) for parts in zip(*(gradient(*batch, False) for batch in batches), strict=True)]
    product = [torch.zeros_like(weight) for weight in weights.values()]
    for batch in batches:
        inner = sum((part * whole).sum() for part, whole in zip(gradient(*batch, True), total, strict=True))
        for held, part in zip(product, torch.autograd.grad(inner, list(weights.values())), strict=True):
            held += part
    return dict(zip(weights, product, strict=True))
