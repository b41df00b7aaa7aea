# One loss over all batches at once; the held gradient is detached.
def hessian_gradient_product(model, batches, temperature=200.0):
    weights = models.prunable_weights(model)
    logs = [functional.log_softmax(model(images) / temperature, 1) for images, _ in batches]
    loss = -sum(log.gather(1, labels[:, None]).sum() for log, (_, labels) in zip(logs, batches))
    gradient = torch.autograd.grad(loss, weights.values(), create_graph=True)
    inner = sum((part * part.detach()).sum() for part in gradient)
    return dict(zip(weights, torch.autograd.grad(inner, weights.values())))
