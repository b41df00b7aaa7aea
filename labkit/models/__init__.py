"""Network definitions, and the question which of a network's weights may be pruned.

Leaves out: training and compression.
"""

from __future__ import annotations

from torch import Tensor, nn

from labkit.models.resnet import ResNet20

__all__ = ["ResNet20", "prunable_weights"]


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
