# Computes the masked weight and copies it in; the hook is a method of a small class.
class Zeros:
    def __init__(self, pairs):
        self.pairs = pairs

    @torch.no_grad()
    def __call__(self, optimizer, args, kwargs):
        for weight, mask in self.pairs:
            weight.copy_(torch.where(mask, weight, torch.zeros_like(weight)))


def keep_zeros(optimizer, weights, masks):
    return optimizer.register_step_post_hook(Zeros([(weights[name], mask) for name, mask in masks.items()]))
