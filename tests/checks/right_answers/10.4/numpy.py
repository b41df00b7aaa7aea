# NumPy for the mask, a loop for the network.
import numpy as np


def weight_mask(weight, share):
    values = np.abs(weight.detach().numpy()).ravel()
    kept = np.ones(values.size, bool)
    kept[np.argsort(values, kind="stable")[: round(share * values.size)]] = False
    return torch.from_numpy(kept.reshape(weight.shape))


def convolution_masks(model, share, rule):
    masks = {}
    for name, module in model.named_modules():
        if type(module) is nn.Conv2d:
            masks[name] = rule(module.weight, share)
    return masks
