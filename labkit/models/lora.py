"""LoRA (Hu et al. 2022): a frozen weight plus a trained update of low rank.

The weight of an adapted layer is W + (α / rank) · B·A, with B = 0 at the start. In a linear layer A is
``(rank, in)`` and B ``(out, rank)``. In a convolution A is a k×k convolution to ``rank`` channels and B
a 1×1 convolution from these, whose composition is again one k×k convolution. torch's ``parametrize`` adds the
update to the weight in each forward pass, so the network's code stays as it is.
"""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from labkit.models.weights import Layer, layer_label, named_layers, require_own_weight

__all__ = ["LowRankUpdate", "adapter_state", "add_lora", "load_adapter", "lora_size", "merge_lora"]


class LowRankUpdate(nn.Module):
    """The parametrization: maps a weight to the weight plus its update.

    Attributes:
        A: ``(rank, in)`` or ``(rank, in, k, k)``, random.
        B: ``(out, rank)``, zero at the start.
        scale: α / rank.
    """

    def __init__(self, weight: Tensor, *, rank: int, alpha: float) -> None:
        super().__init__()
        self.A = nn.Parameter(
            torch.empty(rank, *weight.shape[1:], dtype=weight.dtype, device=weight.device)
        )
        self.B = nn.Parameter(weight.new_zeros(len(weight), rank))
        self.scale = alpha / rank
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight of the adapted layer, in the shape of ``weight``."""
        return weight + self.scale * (self.B @ self.A.flatten(1)).view_as(weight)


def add_lora(model: nn.Module, layers: str, *, rank: int, alpha: float | None = None) -> nn.Module:
    """Adapt, in place, every layer whose name matches, and freeze its weight.

    Biases and all other layers keep training or not as they do;
    :func:`labkit.models.freezing.train_only` freezes them.

    Args:
        model: any network; its outputs stay the same, since B = 0.
        layers: a regular expression that the whole name of a linear layer or convolution must match.
        rank: at least 1.
        alpha: scale of the update times ``rank``; by default ``rank``, which makes the scale 1.

    Returns:
        ``model`` itself.

    Raises:
        ValueError: if no layer matches, the rank is below 1, a convolution has groups, or a weight is
            computed from other tensors already.

    >>> model = add_lora(nn.Sequential(nn.Linear(512, 10)), "0", rank=8)
    >>> sorted(adapter_state(model))
    ['0.A', '0.B']
    """
    if rank < 1:
        raise ValueError(f"rank must be at least 1, got {rank}.")
    chosen = {name: layer for name, layer in named_layers(model).items() if re.fullmatch(layers, name)}
    if not chosen:
        raise ValueError(f"no layer's name matches {layers!r}; there are {', '.join(named_layers(model))}.")
    for name, layer in chosen.items():
        _require_adaptable(name, layer)
    for layer in chosen.values():
        update = LowRankUpdate(layer.weight, rank=rank, alpha=rank if alpha is None else alpha)
        layer.weight.requires_grad_(False)
        parametrize.register_parametrization(layer, "weight", update)
    return model


def merge_lora(model: nn.Module) -> nn.Module:
    """Write, in place, each update into its weight; afterwards the layers are ordinary and not frozen.

    Returns:
        ``model`` itself, whose outputs stay the same up to rounding.
    """
    for layer in _adapted(model).values():
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        layer.weight.requires_grad_(True)
    return model


def adapter_state(model: nn.Module) -> dict[str, Tensor]:
    """Return the tensors A and B of every adapted layer by name: all that an adapter has to store."""
    return {
        f"{name}.{part}": getattr(_update_of(layer), part).detach().clone()
        for name, layer in _adapted(model).items()
        for part in ("A", "B")
    }


@torch.no_grad()
def load_adapter(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Copy an :func:`adapter_state` into a model with the same adapted layers.

    Raises:
        ValueError: if names or shapes differ; nothing is copied then.
    """
    own_shapes = {name: tuple(tensor.shape) for name, tensor in adapter_state(model).items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    if own_shapes != shapes:
        differing = sorted(set(own_shapes.items()) ^ set(shapes.items()))
        raise ValueError(f"the adapter is for other layers or another rank; these differ: {differing}.")
    for name, layer in _adapted(model).items():
        for part in ("A", "B"):
            getattr(_update_of(layer), part).copy_(state[f"{name}.{part}"])


def lora_size(inputs: int, outputs: int, rank: int, *, kernel: int = 1) -> int:
    """Return how many numbers the update of one layer has; ``kernel`` is the side of a convolution.

    >>> [lora_size(512, 10, rank) for rank in (8, 9, 10)], 512 * 10
    ([4176, 4698, 5220], 5120)
    """
    return rank * (inputs * kernel**2 + outputs)


def _adapted(model: nn.Module) -> dict[str, Layer]:
    """Return the layers whose weight has a low-rank update, by name."""
    return {
        name: layer
        for name, layer in named_layers(model).items()
        if parametrize.is_parametrized(layer, "weight") and isinstance(_update_of(layer), LowRankUpdate)
    }


def _update_of(layer: nn.Module) -> nn.Module:
    """Return the parametrization of a layer's weight."""
    return layer.parametrizations["weight"][0]  # type: ignore[index, return-value]


def _require_adaptable(name: str, layer: Layer) -> None:
    """Raise ValueError unless the layer is an ordinary linear layer or convolution without groups."""
    require_own_weight(name, layer)
    if not isinstance(layer, nn.Linear | nn.Conv2d) or getattr(layer, "groups", 1) != 1:
        raise ValueError(
            f"{layer_label(name, layer)} must be linear or a Conv2d with one group to be adapted."
        )
