# Hg is the gradient of ½‖g‖², with nothing held fixed.
def hessian_gradient_product(model, batches, temperature=200.0):
    names, weights = zip(*models.prunable_weights(model).items())
    loss = 0.0
    for images, labels in batches:
        logs = (model(images) / temperature).log_softmax(dim=1)
        loss = loss + functional.nll_loss(logs, labels, reduction="sum")
    gradient = torch.autograd.grad(loss, weights, create_graph=True)
    half = 0.5 * torch.cat([part.flatten() for part in gradient]).square().sum()
    return dict(zip(names, torch.autograd.grad(half, weights)))
