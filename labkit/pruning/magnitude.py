"""Magnitude pruning: which weights are removed, by a count or by a threshold, and keeping them at 0.

A mask is a bool tensor of its weight's shape, True where the weight is kept. Masks cover the
weights of convolutions and linear layers; biases and batch normalization are never pruned.
Leaves out: when to prune (schedules), and whole channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from labkit.models import prunable_weights, total_sparsity

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
    """Keep all but the ``round(sparsity · n)`` weights of least magnitude (Han et al. 2015).

    Exactly that many are removed; of equal magnitudes the ones with the lowest index go first.

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
    """Indices into the flattened weight, int64, in the order in which :func:`magnitude_mask` removes.

    Raises:
        ValueError: if a value is NaN or infinite; names ``name``.
    """
    _require_finite(weight, name)
    return weight.detach().abs().flatten().argsort(stable=True)


def deviation_mask(weight: Tensor, s: float) -> Tensor:
    """Keep the weights whose magnitude exceeds ``s`` times the weights' standard deviation.

    Args:
        weight: any shape, finite.
        s: a factor ≥ 0; at 0 everything but exact zeros is kept.

    Returns:
        bool, the weight's shape, True where kept.

    Raises:
        ValueError: if ``s`` is negative or not finite, or a weight is NaN or infinite.

    >>> deviation_mask(torch.tensor([0.1, -3.0, 0.1, 2.0]), 0.5)
    tensor([False,  True, False,  True])
    """
    if not (math.isfinite(s) and s >= 0):
        raise ValueError(f"s is a number of standard deviations ≥ 0, got {s}.")
    _require_finite(weight, "weight")
    if not weight.numel():
        return torch.ones_like(weight, dtype=torch.bool)
    return weight.detach().abs() > s * weight.detach().std(correction=0)


def layer_masks(model: nn.Module, sparsity: float) -> Masks:
    """:func:`magnitude_mask` at the same sparsity in every layer of ``model``."""
    return {name: magnitude_mask(w, sparsity) for name, w in prunable_weights(model).items()}


def deviation_masks(model: nn.Module, s: float) -> Masks:
    """:func:`deviation_mask` with the same ``s`` in every layer of ``model``."""
    return {name: deviation_mask(w, s) for name, w in prunable_weights(model).items()}


def global_masks(model: nn.Module, sparsity: float) -> Masks:
    """One ranking across all layers: the smallest weights of the whole model go, wherever they are.

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
    """The masks that a pruned model carries in its zeros."""
    return {name: weight.detach() != 0 for name, weight in prunable_weights(model).items()}


def apply_masks(model: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Set the masked weights of ``model`` to zero, in place.

    Raises:
        ValueError: if a mask names no prunable weight, has another shape than its weight or is not
            bool; no weight is changed then.
    """
    weights = prunable_weights(model)
    for name, mask in masks.items():
        if name not in weights:
            raise ValueError(f"mask {name!r} fits no weight; the model has {', '.join(weights)}.")
        if mask.shape != weights[name].shape:
            raise ValueError(
                f"mask {name!r} has shape {tuple(mask.shape)}, its weight {tuple(weights[name].shape)}."
            )
        if mask.dtype != torch.bool:
            raise ValueError(f"mask {name!r} is {mask.dtype}, expected torch.bool (True: kept).")
    with torch.no_grad():
        for name, mask in masks.items():
            # subtle: multiplying would leave −0.0 behind, and NaN where a weight is infinite.
            weights[name].masked_fill_(~mask.to(weights[name].device), 0.0)


def sparsity_by_layer(model: nn.Module) -> dict[str, float]:
    """Share of exact zeros in each prunable weight, in the model's order; 0 for an empty weight."""
    return {
        name: int((weight == 0).sum()) / max(1, weight.numel())
        for name, weight in prunable_weights(model).items()
    }


def require_sparsity(sparsity: float) -> None:
    """Refuse with a ValueError what is not in [0, 1]."""
    if not 0 <= sparsity <= 1:  # also refuses NaN
        raise ValueError(f"sparsity is a share in [0, 1], got {sparsity}; 80 % is 0.8.")


def _require_finite(weight: Tensor, what: str) -> None:
    if not bool(torch.isfinite(weight).all()):
        bad = int((~torch.isfinite(weight)).sum())
        raise ValueError(f"{what} holds {bad} NaN or infinite values of {weight.numel()}; retrain it.")
