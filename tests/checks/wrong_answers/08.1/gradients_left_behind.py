# Writes into .grad and leaves it there.
def hessian_gradient_product(model, batches, temperature=200.0):
    weights = models.prunable_weights(model)
    for images, labels in batches:
        functional.cross_entropy(model(images) / temperature, labels, reduction="sum").backward()
    total = [weight.grad.clone() for weight in weights.values()]
    model.zero_grad()
    for images, labels in batches:
        loss = functional.cross_entropy(model(images) / temperature, labels, reduction="sum")
        parts = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        sum((part * whole).sum() for part, whole in zip(parts, total, strict=True)).backward()
    return {name: weight.grad for name, weight in weights.items()}
