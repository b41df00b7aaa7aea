# Assigns to the pruned positions; also sets them once at the start.
def keep_zeros(optimizer, weights, masks):
    gone = {name: torch.logical_not(mask).nonzero(as_tuple=True) for name, mask in masks.items()}

    def zero(*_):
        with torch.no_grad():
            for name in gone:
                weights[name][gone[name]] = 0

    zero()
    return optimizer.register_step_post_hook(zero)
