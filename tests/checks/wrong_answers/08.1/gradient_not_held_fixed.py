# Differentiates the squared norm of the gradient: twice the product.
def hessian_gradient_product(model, batches, temperature=200.0):
    weights = models.prunable_weights(model)
    loss = sum(functional.cross_entropy(model(x) / temperature, y, reduction="sum") for x, y in batches)
    parts = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
    norm = sum(part.square().sum() for part in parts)
    return dict(zip(weights, torch.autograd.grad(norm, list(weights.values())), strict=True))
