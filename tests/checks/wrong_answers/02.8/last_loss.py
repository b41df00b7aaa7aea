# Returns the loss of the last batch, not the mean.
def finetune_after_prune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    masks: dict[str, Tensor],
) -> float:
    model.train()
    weights = models.prunable_weights(model)
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].masked_fill_(~mask, 0.0)
    return loss.item()
