# Protects the first weight only.
def keep_zeros(
    optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], masks: dict[str, Tensor]
) -> torch.utils.hooks.RemovableHandle:
    def after_step(*_: object) -> None:
        name = next(iter(weights))
        with torch.no_grad():
            weights[name].masked_fill_(~masks.get(name, torch.tensor(True)), 0.0)

    return optimizer.register_step_post_hook(after_step)
