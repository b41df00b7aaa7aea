# Writes through an index, and returns NumPy's mean.
def finetune_after_prune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    masks: dict[str, Tensor],
) -> float:
    import numpy as np

    model.train()
    losses = []
    for batch in batches:
        loss = nn.CrossEntropyLoss()(model(batch[0]), batch[1])
        for parameter in model.parameters():
            parameter.grad = None
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                model.get_parameter(name)[~mask] = 0
        losses.append(float(loss))
    return np.mean(losses)
