"""Masks of two granularities behind one interface: whole output filters, or single weights.

Only convolutions are pruned; a filter of the classifier would be a class. Both kinds rank by
magnitude within one layer, and a filter's magnitude is its L1 norm (Li et al. 2017, "Pruning filters for
efficient ConvNets").
"""

from __future__ import annotations

from typing import Literal, get_args

from torch import Tensor, nn

from labkit.models.weights import Layer, named_layers
from labkit.pruning.magnitude import Masks, magnitude_mask, require_sparsity

__all__ = ["Granularity", "convolution_masks", "convolution_sparsity", "filter_mask", "granular_mask"]

Granularity = Literal["filters", "weights"]


def filter_mask(weight: Tensor, sparsity: float) -> Tensor:
    """Return a mask of all but the ``round(sparsity · out)`` filters with the smallest L1 norms.

    Exactly that many filters are removed, each as a whole; of equal norms those with the lowest index go
    first. Norms are summed in float64.

    Args:
        weight: ``(out, …)`` with at least two dimensions, finite.
        sparsity: share of the filters to remove, in [0, 1].

    Returns:
        bool, the weight's shape, True where kept.

    Raises:
        ValueError: if ``sparsity`` is outside [0, 1], a weight is NaN or infinite, or there are no filters.

    >>> import torch
    >>> filter_mask(torch.tensor([[1.0, -1.0], [0.5, 0.0]]), 0.5)
    tensor([[ True,  True],
            [False, False]])
    """
    if weight.ndim < 2:
        raise ValueError(f"filters need a weight of shape (out, …), got shape {tuple(weight.shape)}.")
    norms = weight.detach().double().abs().flatten(1).sum(1)
    kept = magnitude_mask(norms, sparsity)
    return kept.view(-1, *[1] * (weight.ndim - 1)).expand(weight.shape).clone()


def granular_mask(weight: Tensor, sparsity: float, granularity: Granularity) -> Tensor:
    """Return the mask of one weight: :func:`filter_mask`, or the magnitude mask of single weights.

    Raises:
        ValueError: if there is no such granularity, or as the two functions do.
    """
    if granularity == "filters":
        return filter_mask(weight, sparsity)
    if granularity == "weights":
        return magnitude_mask(weight, sparsity)
    raise ValueError(f"granularity must be one of {', '.join(get_args(Granularity))}, got {granularity!r}.")


def convolution_masks(model: nn.Module, sparsity: float, granularity: Granularity) -> Masks:
    """Return the masks of every convolution of ``model``, at the same sparsity and granularity."""
    require_sparsity(sparsity)
    return {
        f"{name}.weight".removeprefix("."): granular_mask(layer.weight, sparsity, granularity)
        for name, layer in _convolutions(model).items()
    }


def convolution_sparsity(model: nn.Module) -> float:
    """Return the share of zeros in the weights of the convolutions; 0 if there are none.

    >>> layer = nn.Conv2d(1, 2, 1)
    >>> _ = nn.init.constant_(layer.weight[0], 0.0)
    >>> convolution_sparsity(layer)
    0.5
    """
    weights = [layer.weight for layer in _convolutions(model).values()]
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))


def _convolutions(model: nn.Module) -> dict[str, Layer]:
    """Return the convolutions of ``model`` by name."""
    return {name: layer for name, layer in named_layers(model).items() if not isinstance(layer, nn.Linear)}
