"""What the checks of lab 12 share: modules with fixed numbers, and torch's own on the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "AttentionParts",
    "LayerParts",
    "exact",
    "filled",
    "padding",
    "torchs_attention",
    "torchs_layer",
    "waves",
]


class AttentionParts(nn.Module):
    """The four projections that an exercise receives."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))


class LayerParts(nn.Module):
    """The parts of an encoder layer, or with ``cross`` of a decoder layer."""

    def __init__(self, width: int, heads: int, *, cross: bool) -> None:
        super().__init__()
        self.attention = AttentionParts(width, heads)
        self.feed_forward = nn.Sequential(
            nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width)
        )
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        if cross:
            self.cross_attention, self.norm3 = AttentionParts(width, heads), nn.LayerNorm(width)


@contextmanager
def exact() -> Iterator[None]:
    """Without gradients, and without torch's fused path, which takes its own way."""
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def filled(module: Any) -> Any:
    """Fill every parameter with other fixed numbers; normalizations get a scale and a shift."""
    for index, parameter in enumerate(module.parameters()):
        parameter.data = 0.6 * waves(*parameter.shape, start=index)
    return module.requires_grad_(False)


def torchs_attention(layer: Any) -> nn.MultiheadAttention:
    """Return torch's attention with the weights of ``layer``."""
    width = layer.query.in_features
    other = nn.MultiheadAttention(width, layer.heads, batch_first=True)
    _copy_attention(layer, other)
    return other


def _copy_attention(layer: Any, other: Any) -> None:
    parts = layer.query, layer.key, layer.value
    other.in_proj_weight.data = torch.cat([part.weight for part in parts])
    other.in_proj_bias.data = torch.cat([part.bias for part in parts])
    other.out_proj.load_state_dict(layer.output.state_dict())


def torchs_layer(layer: Any, kind: Any) -> Any:
    """Return torch's encoder or decoder layer with the weights of ``layer``."""
    width = layer.attention.query.in_features
    other = kind(width, layer.attention.heads, 2 * width, dropout=0.0, batch_first=True)
    _copy_attention(layer.attention, other.self_attn)
    if hasattr(layer, "cross_attention"):
        _copy_attention(layer.cross_attention, other.multihead_attn)
        other.norm3.load_state_dict(layer.norm3.state_dict())
    other.norm1.load_state_dict(layer.norm1.state_dict())
    other.norm2.load_state_dict(layer.norm2.state_dict())
    other.linear1.load_state_dict(layer.feed_forward[0].state_dict())
    other.linear2.load_state_dict(layer.feed_forward[2].state_dict())
    return other


def waves(*shape: int, start: int = 0) -> Tensor:
    """Return fixed numbers between −1 and 1."""
    size = int(np.prod(shape))
    return torch.sin(torch.arange(size) * 1.7 + start).view(shape)


def padding(length: int) -> Tensor:
    """Return a mask ``(2, 1, length)`` that hides the last key of the second sequence."""
    mask = torch.ones(2, 1, length, dtype=torch.bool)
    mask[1, 0, -1] = False
    return mask
