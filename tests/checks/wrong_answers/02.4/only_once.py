# Sets the weights to zero once and registers nothing that does it again.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    with torch.no_grad():
        for name, mask in masks.items():
            weights[name].masked_fill_(~mask, 0.0)
    return optimizer.register_step_post_hook(lambda *_: None)
