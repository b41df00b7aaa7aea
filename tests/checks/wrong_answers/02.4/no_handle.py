# Returns nothing, so the hook cannot be removed.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def after_step(*_: object) -> None:
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].masked_fill_(~mask, 0.0)

    optimizer.register_step_post_hook(after_step)
