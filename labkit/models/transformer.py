"""Transformers for sequences of tokens: encoder and decoder (Vaswani et al. 2017), and decoder alone.

Layers are normalized after each sum, as in the paper, and positions are sinusoidal, so a sequence may be
longer than any seen in training. Leaves out: attention itself (:mod:`labkit.models.attention`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.models.attention import KeyValueCache, MultiHeadAttention, causal_mask
from labkit.models.inputs import can_read_at_once

__all__ = [
    "DecoderLayer",
    "EncoderLayer",
    "LanguageModel",
    "LayerCache",
    "Transformer",
    "TransformerShape",
    "greedy_decode",
    "positional_encoding",
]


@dataclass(frozen=True)
class TransformerShape:
    """The hyperparameters that decide the size of a transformer; defaults are those of labs/12."""

    vocabulary: int
    layers: int = 2  # N, of the encoder and of the decoder each
    heads: int = 4  # h
    width: int = 64  # d
    hidden: int = 128  # d_ff

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        for name in ("vocabulary", "layers", "heads", "width", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        if self.width % self.heads or self.width % 2:
            raise ValueError(
                f"width must be even and divisible by the heads, got width {self.width} and "
                f"{self.heads} heads."
            )


def positional_encoding(length: int, width: int, *, start: int = 0) -> Tensor:
    """Return sines (even columns) and cosines (odd columns) of positions, ``(length, width)`` float64.

    Entry (p, 2i) is sin(p / 10000^(2i/width)), entry (p, 2i+1) the cosine of the same angle (Vaswani et
    al. 2017, section 3.5).

    Args:
        length: how many positions.
        width: even.
        start: the first position.

    Raises:
        ValueError: if ``width`` is odd or an argument is negative.

    >>> positional_encoding(2, 2).round(decimals=2).tolist()
    [[0.0, 1.0], [0.84, 0.54]]
    """
    if width % 2 or width < 2 or length < 0 or start < 0:
        raise ValueError(
            f"width must be even and positive, length and start not negative, got width {width}, "
            f"length {length}, start {start}."
        )
    positions = torch.arange(start, start + length, dtype=torch.float64)
    frequencies = 10_000.0 ** (-torch.arange(0, width, 2, dtype=torch.float64) / width)
    angles = positions[:, None] * frequencies
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


class Embedding(nn.Module):
    """Token embeddings times √d, plus the encoding of their positions."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.width = shape.width
        self.table = nn.Embedding(shape.vocabulary, shape.width)
        nn.init.normal_(self.table.weight, std=shape.width**-0.5)

    def forward(self, tokens: Tensor, start: int = 0) -> Tensor:
        """Map tokens ``(batch, length)`` at positions from ``start`` to ``(batch, length, width)``."""
        self._require_tokens(tokens)
        positions = positional_encoding(tokens.shape[1], self.width, start=start)
        positions = positions.to(self.table.weight.dtype).to(tokens.device, non_blocking=True)
        return self.table(tokens) * math.sqrt(self.width) + positions

    def _require_tokens(self, tokens: Tensor) -> None:
        if tokens.dtype != torch.int64 or tokens.ndim != 2 or not tokens.numel():
            raise ValueError(
                f"tokens must be int64 of shape (batch, length), both at least 1, "
                f"got {tokens.dtype} {tuple(tokens.shape)}."
            )
        if not can_read_at_once(tokens):
            return
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= self.table.num_embeddings:
            raise ValueError(f"tokens must lie in [0, {self.table.num_embeddings}), got {low} to {high}.")


class FeedForward(nn.Module):
    """Two linear layers with a ReLU between, at every position alike."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, hidden)
        self.outer = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(batch, length, width)`` to the same shape."""
        return self.outer(functional.relu(self.inner(x)))


class EncoderLayer(nn.Module):
    """Self-attention, then a feed-forward network; each is added to its input and normalized."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor | None = None, cache: KeyValueCache | None = None) -> Tensor:
        """Map ``(batch, n, width)`` to the same shape; ``mask`` is ``(batch or 1, n, n)`` or ``(n, n)``."""
        x = self.norm1(x + self.attention(x, x, mask, cache))
        return self.norm2(x + self.feed_forward(x))


@dataclass(frozen=True)
class LayerCache:
    """What one decoder layer keeps while it decodes: of the tokens so far, and of the encoder's output."""

    own: KeyValueCache
    memory: KeyValueCache


class DecoderLayer(nn.Module):
    """Causal self-attention, attention to the encoder's output, then a feed-forward network."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = MultiHeadAttention(width, heads)
        self.norm1 = nn.LayerNorm(width)
        self.cross_attention = MultiHeadAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.feed_forward = FeedForward(width, hidden)
        self.norm3 = nn.LayerNorm(width)

    def forward(
        self,
        x: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        cache: LayerCache | None = None,
    ) -> Tensor:
        """Map ``(batch, m, width)`` to the same shape, with ``memory`` ``(batch, n, width)``."""
        x = self.norm1(x + self.attention(x, x, mask, cache and cache.own))
        source = memory if cache is None or not cache.memory.length else None
        x = self.norm2(x + self.cross_attention(x, source, memory_mask, cache and cache.memory))
        return self.norm3(x + self.feed_forward(x))


class Transformer(nn.Module):
    """An encoder that reads one sequence and a decoder that writes another, with one embedding for both.

    Token ``padding`` fills short sources up; nothing looks at it.
    """

    def __init__(self, shape: TransformerShape, *, padding: int = 0) -> None:
        super().__init__()
        self.padding = padding
        self.embedding = Embedding(shape)
        sizes = shape.width, shape.heads, shape.hidden
        self.encoder = nn.ModuleList(EncoderLayer(*sizes) for _ in range(shape.layers))
        self.decoder = nn.ModuleList(DecoderLayer(*sizes) for _ in range(shape.layers))
        self.head = nn.Linear(shape.width, shape.vocabulary)

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Return the logits of each next token, ``(batch, m, vocabulary)``.

        Args:
            source: ``(batch, n)`` int64, padded.
            target: ``(batch, m)`` int64, what stands before each token to predict: it begins with the
                start token. Position i sees positions up to i.
        """
        return self.decode(target, self.encode(source), source)

    def encode(self, source: Tensor) -> Tensor:
        """Return the encoder's output, ``(batch, n, width)``."""
        x = self.embedding(source)
        mask = (source != self.padding)[:, None, :]
        for layer in self.encoder:
            x = layer(x, mask)
        return x

    def decode(
        self, target: Tensor, memory: Tensor, source: Tensor, caches: list[LayerCache] | None = None
    ) -> Tensor:
        """Return the logits ``(batch, m, vocabulary)`` of ``target``, which follows what ``caches`` hold."""
        before = caches[0].own.length if caches else 0
        x = self.embedding(target, before)
        mask = causal_mask(x.shape[1], before + x.shape[1]).to(x.device, non_blocking=True)
        memory_mask = (source != self.padding)[:, None, :]
        for index, layer in enumerate(self.decoder):
            x = layer(x, memory, mask, memory_mask, caches[index] if caches else None)
        return self.head(x)

    def new_caches(self) -> list[LayerCache]:
        """Return one empty cache per decoder layer."""
        return [LayerCache(KeyValueCache(), KeyValueCache()) for _ in self.decoder]


class LanguageModel(nn.Module):
    """The decoder-only transformer: causal self-attention and feed-forward networks."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.embedding = Embedding(shape)
        sizes = shape.width, shape.heads, shape.hidden
        self.layers = nn.ModuleList(EncoderLayer(*sizes) for _ in range(shape.layers))
        self.head = nn.Linear(shape.width, shape.vocabulary)

    def forward(self, tokens: Tensor, caches: list[KeyValueCache] | None = None) -> Tensor:
        """Return the logits of each next token, ``(batch, m, vocabulary)``; ``tokens`` follow the caches."""
        before = caches[0].length if caches else 0
        x = self.embedding(tokens, before)
        mask = causal_mask(x.shape[1], before + x.shape[1]).to(x.device, non_blocking=True)
        for index, layer in enumerate(self.layers):
            x = layer(x, mask, caches[index] if caches else None)
        return self.head(x)

    def new_caches(self) -> list[KeyValueCache]:
        """Return one empty cache per layer."""
        return [KeyValueCache() for _ in self.layers]


@torch.no_grad()
def greedy_decode(
    model: Transformer, source: Tensor, *, start: int, steps: int, cached: bool = True
) -> Tensor:
    """Write ``steps`` tokens, each the most probable after those before it, ``(batch, steps)``.

    Args:
        model: used in the mode it is in.
        source: ``(batch, n)`` int64, padded.
        start: the token that the decoder begins with; it is not in the result.
        steps: how many tokens to write, at least 1.
        cached: whether keys and values of earlier positions are kept, or computed again in each step.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}.")
    memory, caches = model.encode(source), model.new_caches() if cached else None
    written = torch.full((len(source), 1), start, dtype=torch.int64, device=source.device)
    for _ in range(steps):
        latest = written[:, -1:] if cached else written
        logits = model.decode(latest, memory, source, caches)[:, -1]
        written = torch.cat([written, logits.argmax(-1, keepdim=True)], dim=1)
    return written[:, 1:]
