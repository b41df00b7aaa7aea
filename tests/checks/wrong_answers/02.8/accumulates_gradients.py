# Never erases the gradients of the batches before.
def finetune_after_prune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    masks: dict[str, Tensor],
) -> float:
    model.train()
    weights, losses = models.prunable_weights(model), []
    for inputs, labels in batches:
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].masked_fill_(~mask, 0.0)
        losses.append(loss.item())
    return sum(losses) / len(losses)
