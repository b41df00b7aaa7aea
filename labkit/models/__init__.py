"""Network definitions, a network's mode, which of its weights may be pruned and how many are zero.

Leaves out: training and compression.
"""

from __future__ import annotations

from torch import Tensor, nn

from labkit.models.mode import evaluation_mode
from labkit.models.resnet import ResNet20
from labkit.models.vgg import VGG16

__all__ = ["ResNet20", "VGG16", "evaluation_mode", "prunable_weights", "total_sparsity"]


def prunable_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights of convolutions and linear layers by name, in the model's order.

    Biases and batch normalization are never pruned, so they are left out.

    >>> sum(weight.numel() for weight in prunable_weights(ResNet20()).values())
    268336
    """
    return {
        f"{name}.weight".removeprefix("."): module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def total_sparsity(model: nn.Module) -> float:
    """Share of exact zeros among all prunable weights; batch normalization and biases not counted.

    It is 0 for a model without prunable weights.
    """
    weights = prunable_weights(model).values()
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))
