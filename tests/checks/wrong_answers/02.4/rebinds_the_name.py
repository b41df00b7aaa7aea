# Makes a new tensor instead of changing the parameter.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def after_step(*_: object) -> None:
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name] = weights[name] * mask

    return optimizer.register_step_post_hook(after_step)
