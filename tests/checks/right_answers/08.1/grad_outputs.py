# The held gradient goes in as grad_outputs; one loss, summed batch by batch.
def hessian_gradient_product(model, batches, temperature=200.0):
    named = models.prunable_weights(model)
    weights = tuple(named.values())
    loss = sum(
        nn.CrossEntropyLoss(reduction="sum")(model(images) * (1 / temperature), labels) for images, labels in batches
    )
    gradient = torch.autograd.grad(loss, weights, create_graph=True)
    held = [part.detach() for part in gradient]
    product = torch.autograd.grad(gradient, weights, grad_outputs=held)
    return {name: part for name, part in zip(named, product)}
