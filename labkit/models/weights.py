"""The weights of a network that may be pruned, and how many of them are zero."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["count_nonzero", "prunable_weights", "total_sparsity"]


def prunable_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of convolutions and linear layers by name, in the model's order.

    Biases and the parameters of batch normalization are not included; they are never pruned.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    >>> {name: tuple(weight.shape) for name, weight in prunable_weights(model).items()}
    {'0.weight': (8, 3, 3, 3)}
    """
    return {
        f"{name}.weight".removeprefix("."): module.weight
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    }


def total_sparsity(model: nn.Module) -> float:
    """Return the share of zeros in the weights of convolutions and linear layers and in sparse parameters.

    Biases and batch normalization are not counted; the result is 0 without such weights.

    >>> layer = nn.Linear(4, 1)
    >>> layer.weight = nn.Parameter(torch.tensor([[0.0, 5.0, 0.0, 0.0]]).to_sparse())
    >>> total_sparsity(layer)
    0.75
    """
    sparse = {name: weight for name, weight in model.named_parameters() if weight.is_sparse}
    weights = {**prunable_weights(model), **sparse}.values()
    zeros = sum(weight.numel() - count_nonzero(weight) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))


def count_nonzero(weight: Tensor) -> int:
    """Return how many values are not 0; of a sparse COO tensor, how many stored values are not 0."""
    values = weight.detach()
    return int(torch.count_nonzero(values.coalesce().values() if values.is_sparse else values))
