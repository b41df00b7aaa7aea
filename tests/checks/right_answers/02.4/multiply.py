# Multiplies by the mask, through .data.
def keep_zeros(optimizer, weights, masks):
    def hook(optimizer, args, kwargs):
        for name, weight in weights.items():
            if name in masks:
                weight.data.mul_(masks[name])

    return optimizer.register_step_post_hook(hook)
