"""Trained weight sharing: latent weights move, and the network computes with the nearest entry.

As in quantization-aware training, gradients pass straight through. The levels are a codebook, whose
entries move to the means of their latent weights before every epoch. One entry is the value 0: a latent
weight that comes near it is pruned, and a weight that a mask removed before never returns.
Leaves out: codebooks whose entries are the parameters (:mod:`labkit.quantization.weight_sharing`).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from labkit.models import prunable_weights
from labkit.models.weights import require_own_weights, require_untied_weights
from labkit.quantization.kmeans import kmeans
from labkit.quantization.weight_sharing import owner
from labkit.training import Callback

__all__ = ["CodebookCallback", "cluster_layers", "fit_codebooks"]


class _SharedValue(torch.autograd.Function):
    """The shared weight forwards; backwards the gradient of each weight that no mask removed."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, levels: Tensor, mask: Tensor) -> Tensor:
        ctx.save_for_backward(mask)
        return levels[_nearest(latent, levels)].masked_fill_(~mask, 0.0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (mask,) = ctx.saved_tensors
        return gradients[0] * mask, None, None


def _nearest(latent: Tensor, levels: Tensor) -> Tensor:
    """The index of each weight's nearest of the ascending ``levels``."""
    return torch.bucketize(latent.contiguous(), (levels[1:] + levels[:-1]) / 2)


class _NearestLevel(nn.Module):
    """Parametrization of a weight: the parameter is latent, the weight its nearest level."""

    levels: Tensor
    mask: Tensor

    def __init__(self, weight: Tensor, clusters: int) -> None:
        super().__init__()
        self.register_buffer("mask", weight != 0)
        kept = weight[self.mask].cpu()
        kept = kept.float() if kept.dtype == torch.bfloat16 else kept  # NumPy has no such type
        centroids = torch.from_numpy(kmeans(kept.numpy(), clusters).centroids).to(weight)
        self.register_buffer("levels", torch.cat([centroids, centroids.new_zeros(1)]).sort().values)

    def forward(self, latent: Tensor) -> Tensor:
        """Latent weights to shared ones, of the same shape."""
        return _SharedValue.apply(latent, self.levels, self.mask)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The weight itself."""
        return weight

    def fit(self, latent: Tensor) -> None:
        """One step of Lloyd's algorithm: each level but 0 becomes the mean of its latent weights."""
        kept = latent.detach()[self.mask]
        nearest = _nearest(kept, self.levels)
        counts = nearest.bincount(minlength=len(self.levels))
        means = nearest.bincount(kept, minlength=len(self.levels)) / counts.clamp(min=1)
        moves = (counts > 0) & (self.levels != 0)
        self.levels.copy_(torch.where(moves, means, self.levels))


def cluster_layers(model: nn.Module, clusters: int) -> nn.Module:
    """A copy of ``model`` that computes with at most ``clusters`` nonzero values per layer.

    :func:`labkit.quantization.weight_sharing.unshare_layers` turns it back into ordinary layers.

    Args:
        model: left as it is; its zeros stay.
        clusters: at least 1.

    Raises:
        ValueError: if a weight is NaN or infinite, or ``clusters`` is less than 1; if a layer computes its
            weight from other tensors, or two layers have one weight.

    >>> layer = cluster_layers(nn.Linear(64, 64), 4)
    >>> layer.weight.unique().numel()
    5
    """
    require_own_weights(model)
    require_untied_weights(model)
    model = copy.deepcopy(model)
    for name, weight in prunable_weights(model).items():
        parametrize.register_parametrization(
            owner(model, name), "weight", _NearestLevel(weight.detach(), clusters)
        )
    return model


def fit_codebooks(model: nn.Module) -> None:
    """Move the levels of every layer of :func:`cluster_layers` to the means of their latent weights."""
    for name in prunable_weights(model):
        layer = owner(model, name)
        if parametrize.is_parametrized(layer, "weight"):
            weight: Any = layer.parametrizations["weight"]  # type: ignore[index]
            if isinstance(weight[0], _NearestLevel):
                weight[0].fit(weight.original)


class CodebookCallback(Callback):
    """Moves the codebooks to the means of their latent weights before every epoch."""

    def before_epoch(self, model: nn.Module, epoch: int) -> None:  # noqa: ARG002
        """Move all codebooks of ``model``."""
        fit_codebooks(model)
