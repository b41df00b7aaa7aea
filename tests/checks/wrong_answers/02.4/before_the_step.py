# Sets weights to zero before each step, so the step moves them again.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def after_step(*_: object) -> None:
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name].masked_fill_(~mask, 0.0)

    return optimizer.register_step_pre_hook(after_step)
