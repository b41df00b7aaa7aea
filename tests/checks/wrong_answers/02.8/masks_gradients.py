# Masks the gradients; the momentum of earlier steps still moves the weights.
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
        optimizer.zero_grad()
        loss.backward()
        for name, mask in masks.items():
            weights[name].grad.mul_(mask)
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)
