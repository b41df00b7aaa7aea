# Multiplies by the masks, and finds the weights among the named parameters.
def finetune_after_prune(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    optimizer: torch.optim.Optimizer,
    masks: dict[str, Tensor],
) -> float:
    parameters = dict(model.named_parameters())
    model.train(True)
    losses = []
    for inputs, labels in batches:
        model.zero_grad(set_to_none=False)
        loss = nn.NLLLoss()(model(inputs).log_softmax(dim=1), labels)
        loss.backward()
        optimizer.step()
        for name in masks:
            parameters[name].data *= masks[name]
        losses.append(loss.detach())
    return torch.stack(losses).mean()
