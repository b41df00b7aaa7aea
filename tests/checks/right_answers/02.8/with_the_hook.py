# Lets the hook of 02.4 set the zeros, and removes it at the end.
def finetune_after_prune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    masks: dict[str, Tensor],
) -> float:
    handle = keep_zeros(optimizer, models.prunable_weights(model), masks)
    model.train()
    total, count = 0.0, 0
    for inputs, labels in batches:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        total, count = total + loss.item(), count + 1
    handle.remove()
    return total / count
