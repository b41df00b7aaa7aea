"""Multi-head attention with boolean masks, in four equivalent ways of multiplying, and its cache.

Masks say what may be seen: True where a query may look at a key. ``torch.nn.MultiheadAttention`` takes
the opposite. The four ways (:data:`Products`) give the same output from the same weights; they differ in
how many matrix multiplications the processor is asked for, which :mod:`labkit.profiling.matmuls` counts.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.models.inputs import can_read_at_once

__all__ = [
    "KeyValueCache",
    "MultiHeadAttention",
    "Products",
    "attend",
    "causal_mask",
    "require_mask",
    "use_products",
]

# One product per head; all heads in one batched product; also queries, keys and values in one product
# where they come from the same input; also scores and weighted sum in one fused kernel.
Products = Literal["per head", "batched", "packed", "fused"]


def causal_mask(queries: int, keys: int | None = None) -> Tensor:
    """Return which keys each query may see if it may not look ahead, ``(queries, keys)`` bool.

    The last query stands at the last key, so with a cache there are more keys than queries.

    >>> causal_mask(3).int().tolist()
    [[1, 0, 0], [1, 1, 0], [1, 1, 1]]
    """
    keys = queries if keys is None else keys
    return torch.ones(queries, keys, dtype=torch.bool).tril(keys - queries)


def attend(queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
    """Scaled dot-product attention, softmax(QKᵀ/√d + mask) V (Vaswani et al. 2017, section 3.2.1).

    Args:
        queries: ``(…, m, d)``.
        keys: ``(…, n, d)``.
        values: ``(…, n, e)``.
        mask: bool, broadcastable to ``(…, m, n)``; True where a query may look at a key.

    Returns:
        ``(…, m, e)``.

    Raises:
        ValueError: if the mask is not boolean, does not fit, or leaves a query without any key.

    >>> attend(torch.ones(1, 2), torch.ones(2, 2), torch.tensor([[1.0], [3.0]])).item()
    2.0
    """
    scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~require_mask(mask, scores.shape), -math.inf)
    return scores.softmax(-1) @ values


class KeyValueCache:
    """The keys and values that one attention has computed so far, ``(batch, heads, length, d / heads)``."""

    def __init__(self) -> None:
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    @property
    def length(self) -> int:
        """The number of positions held."""
        return 0 if self.keys is None else self.keys.shape[2]

    @property
    def value_count(self) -> int:
        """The numbers held, keys and values together."""
        return sum(part.numel() for part in (self.keys, self.values) if part is not None)

    def extend(self, keys: Tensor, values: Tensor) -> None:
        """Append the keys and values of further positions."""
        self.keys = keys if self.keys is None else torch.cat([self.keys, keys], dim=2)
        self.values = values if self.values is None else torch.cat([self.values, values], dim=2)


class MultiHeadAttention(nn.Module):
    """Attention in ``heads`` subspaces, concatenated and projected (Vaswani et al. 2017, section 3.2.2)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width < 1 or width % heads:
            raise ValueError(f"heads must divide the width, got {heads} heads and width {width}.")
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.output = nn.Linear(width, width)
        self.products: Products = "batched"

    def forward(
        self,
        x: Tensor,
        source: Tensor | None = None,
        mask: Tensor | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """Let each position of ``x`` look at ``source``, or at what ``cache`` holds.

        Args:
            x: ``(batch, m, width)``, where the queries come from.
            source: ``(batch, n, width)``, where keys and values come from; None: only the cache.
            mask: bool, broadcastable to ``(batch, m, n)``, n counting the cached positions as well.
            cache: keys and values of earlier positions; those of ``source`` are appended.

        Returns:
            ``(batch, m, width)``.
        """
        queries, projected = self._project(x, source)
        if cache is not None:
            if projected is not None:
                cache.extend(*projected)
            projected = None if cache.keys is None or cache.values is None else (cache.keys, cache.values)
        if projected is None:
            raise ValueError("attention has nothing to look at: pass source, or a cache that is not empty.")
        context = self._combine(queries, *projected, mask)
        return self.output(context.transpose(1, 2).flatten(2))

    def _project(self, x: Tensor, source: Tensor | None) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Return queries and, if there is a source, keys and values; each ``(batch, heads, length, d / h)``."""
        if source is None:
            return self._one(x, self.query), None
        if self.products not in ("packed", "fused"):
            keys, values = self._one(source, self.key), self._one(source, self.value)
            return self._one(x, self.query), (keys, values)
        if source is x:
            queries, keys, values = self._packed(x, self.query, self.key, self.value)
        else:
            queries = self._one(x, self.query)
            keys, values = self._packed(source, self.key, self.value)
        return queries, (keys, values)

    def _one(self, x: Tensor, layer: nn.Linear) -> Tensor:
        """Project ``x`` by one layer: at once, or head by head with the rows that make each head."""
        if self.products != "per head":
            return self._split(layer(x))
        weights, biases = layer.weight.chunk(self.heads), layer.bias.chunk(self.heads)
        pairs = zip(weights, biases, strict=True)
        return torch.stack([functional.linear(x, weight, bias) for weight, bias in pairs], dim=1)

    def _packed(self, x: Tensor, *layers: nn.Linear) -> list[Tensor]:
        """Project ``x`` by several layers in one product."""
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        return [self._split(part) for part in functional.linear(x, weight, bias).chunk(len(layers), dim=-1)]

    def _split(self, x: Tensor) -> Tensor:
        """Turn ``(batch, length, width)`` into ``(batch, heads, length, width / heads)``."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def _combine(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attend in every head, ``(batch, heads, m, d / heads)``."""
        if self.products == "per head":
            heads = range(self.heads)
            parts = [attend(queries[:, head], keys[:, head], values[:, head], mask) for head in heads]
            return torch.stack(parts, dim=1)
        each_head = mask.unsqueeze(1) if mask is not None and mask.ndim == 3 else mask
        if self.products != "fused":
            return attend(queries, keys, values, each_head)
        if each_head is not None:
            require_mask(each_head, torch.Size((*queries.shape[:3], keys.shape[2])))
        return functional.scaled_dot_product_attention(queries, keys, values, each_head)


def use_products(model: nn.Module, products: Products) -> None:
    """Let every attention of ``model`` multiply in one of the four ways.

    Raises:
        ValueError: if there is no such way.
    """
    if products not in get_args(Products):
        raise ValueError(f"products must be one of {', '.join(get_args(Products))}, got {products!r}.")
    for module in model.modules():
        if isinstance(module, MultiHeadAttention):
            module.products = products


def require_mask(mask: Tensor, shape: torch.Size) -> Tensor:
    """Return ``mask`` if it is boolean, fits scores of ``shape``, and leaves each query a key.

    The last is looked at on the CPU only (:func:`labkit.models.inputs.can_read_at_once`).
    """
    if mask.dtype != torch.bool:
        raise ValueError(
            f"a mask must be bool, True where a query may look at a key, got {mask.dtype}; compare first."
        )
    try:
        torch.broadcast_shapes(mask.shape, shape)
    except RuntimeError:
        raise ValueError(
            f"a mask of shape {tuple(mask.shape)} does not fit scores {tuple(shape)}."
        ) from None
    visible = mask.any(dim=-1) if mask.ndim and mask.shape[-1] else mask.new_zeros(1)
    if can_read_at_once(mask) and not bool(visible.all()):
        raise ValueError(
            "a mask hides every key from a query, so its softmax would be NaN; let each query see at "
            "least one key, for example itself."
        )
    return mask
