"""Magnitude pruning: masks by a share or by a threshold, per layer or global, and applying them.

A mask is a bool tensor of its weight's shape, True where the weight is kept. Masks cover the
weights of convolutions and linear layers; biases and batch normalization are never pruned. When to prune
during training is in labkit.pruning.callbacks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from labkit.models import prunable_weights, total_sparsity
from labkit.models.weights import named_layers, require_own_weight

__all__ = [
    "Masks",
    "apply_masks",
    "deviation_mask",
    "deviation_masks",
    "global_masks",
    "layer_masks",
    "magnitude_mask",
    "nonzero_masks",
    "removal_order",
    "require_sparsity",
    "sparsity_by_layer",
    "total_sparsity",
]

Masks = dict[str, Tensor]


def magnitude_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Return a mask of all but the ``round(sparsity · n)`` weights of least magnitude (Han et al. 2015).

    Exactly that many are removed; of equal magnitudes those with the lowest index go first.

    Args:
        weight: any shape, ``n`` elements, finite.
        sparsity: share to remove, in [0, 1].

    Returns:
        bool, the weight's shape, True where kept.

    Raises:
        ValueError: if ``sparsity`` is outside [0, 1] or a weight is NaN or infinite.

    >>> magnitude_mask(torch.tensor([0.1, -3.0, 0.1, 2.0]), 0.25)
    tensor([False,  True,  True,  True])
    """
    require_sparsity(sparsity)
    mask = torch.ones(weight.numel(), dtype=torch.bool, device=weight.device)
    order = removal_order(weight)
    mask[order[: round(sparsity * weight.numel())]] = False
    return mask.view(weight.shape)


def removal_order(weight: Tensor, name: str = "weight") -> Tensor:
    """Return indices into the flattened weight, int64, in the order :func:`magnitude_mask` removes them.

    Raises:
        ValueError: if a value is NaN or infinite; the message contains ``name``.
    """
    _require_finite(weight, name)
    return weight.detach().abs().flatten().argsort(stable=True)


def deviation_mask(weight: Tensor, s: float) -> Tensor:
    """Return a mask of the weights whose magnitude exceeds ``s`` times their standard deviation.

    Args:
        weight: any shape, finite.
        s: a factor ≥ 0; 0 keeps everything but exact zeros.

    Returns:
        bool, the weight's shape, True where kept.

    Raises:
        ValueError: if ``s`` is negative or not finite, or a weight is NaN or infinite.

    >>> deviation_mask(torch.tensor([0.1, -3.0, 0.1, 2.0]), 0.5)
    tensor([False,  True, False,  True])
    """
    if not (math.isfinite(s) and s >= 0):
        raise ValueError(f"s must be a number of standard deviations ≥ 0, got {s}.")
    _require_finite(weight, "weight")
    if not weight.numel():
        return torch.ones_like(weight, dtype=torch.bool)
    values = weight.detach().to(torch.promote_types(weight.dtype, torch.float32))
    return values.abs() > s * values.std(correction=0)


def layer_masks(model: nn.Module, sparsity: float) -> Masks:
    """Return the :func:`magnitude_mask` of every layer of ``model``, at the same sparsity."""
    return {name: magnitude_mask(w, sparsity) for name, w in prunable_weights(model).items()}


def deviation_masks(model: nn.Module, s: float) -> Masks:
    """Return the :func:`deviation_mask` of every layer of ``model``, with the same ``s``."""
    return {name: deviation_mask(w, s) for name, w in prunable_weights(model).items()}


def global_masks(model: nn.Module, sparsity: float) -> Masks:
    """Return the masks of global pruning: one ranking of all weights of the model by magnitude.

    Args:
        model: its prunable weights are ranked together.
        sparsity: share of all prunable weights to remove, in [0, 1].
    """
    weights = prunable_weights(model)
    if not weights:
        return {}
    joined = torch.cat([weight.detach().flatten() for weight in weights.values()])
    kept = magnitude_mask(joined, sparsity).split([weight.numel() for weight in weights.values()])
    return {
        name: part.view(weight.shape) for (name, weight), part in zip(weights.items(), kept, strict=True)
    }


def nonzero_masks(model: nn.Module) -> Masks:
    """Return the masks of a pruned model: True where a weight is not 0."""
    return {name: weight.detach() != 0 for name, weight in prunable_weights(model).items()}


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked weights of ``model`` to zero, in place.

    Raises:
        ValueError: if a mask belongs to no prunable weight, has another shape than its weight or is
            not bool, or if the layer computes its weight from other tensors, as weight normalization,
            torch's own pruning and shared values do; then no weight is changed.
    """
    weights, layers = prunable_weights(model), named_layers(model)
    for name, mask in masks.items():
        if name not in weights:
            raise ValueError(f"mask {name!r} belongs to no weight; the model has {', '.join(weights)}.")
        if mask.shape != weights[name].shape:
            raise ValueError(
                f"mask {name!r} has shape {tuple(mask.shape)}, its weight {tuple(weights[name].shape)}."
            )
        if mask.dtype != torch.bool:
            raise ValueError(f"mask {name!r} is {mask.dtype}, expected torch.bool, True where kept.")
        layer = name.removesuffix("weight").removesuffix(".")
        require_own_weight(layer, layers[layer])
    with torch.no_grad():
        for name, mask in masks.items():
            # subtle: multiplication would give −0.0 for negative weights and NaN for infinite ones.
            weights[name].masked_fill_(~mask.to(weights[name].device), 0.0)


def sparsity_by_layer(model: nn.Module) -> dict[str, float]:
    """Return the share of exact zeros in each prunable weight, in the model's order; 0 if it is empty."""
    return {
        name: int((weight == 0).sum()) / max(1, weight.numel())
        for name, weight in prunable_weights(model).items()
    }


def require_sparsity(sparsity: float) -> None:
    """Raise ValueError unless ``sparsity`` is in [0, 1]."""
    if not 0 <= sparsity <= 1:  # also refuses NaN
        raise ValueError(f"sparsity must be a share in [0, 1], got {sparsity}; 80 % is 0.8.")


def _require_finite(weight: Tensor, what: str) -> None:
    """Raise ValueError if a weight is NaN or infinite."""
    if not bool(torch.isfinite(weight).all()):
        bad = int((~torch.isfinite(weight)).sum())
        raise ValueError(f"{bad} of the {weight.numel()} values of {what} are NaN or infinite; retrain it.")
