"""Checks of 12.5 and 12.6: greedy decoding, and a key-value cache."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from labkit.checks.expect import Expect
from labkit.checks.lab12.modules import AttentionParts, exact, filled, torchs_attention, waves

__all__ = ["attend_next", "greedy"]

Answer = Callable[..., Any]

GREEDY = "append the arg max at the last position, and decode again with all tokens written so far"
CACHE = "project the new position alone, append its key and value, and let its query look at all of them"


class _Script:
    """A model whose next token depends on all tokens before it, and that counts its calls."""

    def __init__(self, vocabulary: int = 11) -> None:
        self.vocabulary = vocabulary
        self.encoded = 0

    def encode(self, source: Tensor) -> Tensor:
        self.encoded += 1
        return source.sum(1, keepdim=True)

    def decode(self, target: Tensor, memory: Tensor, source: Tensor) -> Tensor:
        if memory.shape != (len(source), 1):
            raise ValueError("decode needs the memory of the whole batch")
        best = (target.cumsum(1) * 3 + memory + torch.arange(target.shape[1])) % self.vocabulary
        return functional.one_hot(best, self.vocabulary).float()


def greedy(expect: Expect, answer: Answer) -> None:
    """12.5: each token is the most probable one after those before it."""
    for source, start, steps in (([[2, 5]], 1, 1), ([[2, 5], [3, 3], [0, 7]], 1, 6), ([[4, 4]], 0, 9)):
        case, model = expect.given(f"{len(source)} sources, start token {start}, {steps} steps"), _Script()
        got = case.call(answer, model, torch.tensor(source), start, steps, hint=GREEDY)
        expected = []
        for row in source:
            tokens = [start]
            for place in range(steps):
                tokens.append((sum(tokens) * 3 + sum(row) + place) % 11)
            expected.append(tokens[1:])
        case.equal(got, expected, hint=GREEDY)
        hint = "the source does not change: call model.encode once, before the loop"
        case.true(model.encoded == 1, expected="1 call of encode", got=f"{model.encoded} calls", hint=hint)


def attend_next(expect: Expect, answer: Answer) -> None:
    """12.6: step by step with a cache, as torch's causal attention at once."""
    with exact():
        for start in (0, 3):  # a cache that is given, before those that the answer makes itself
            layer, x = filled(AttentionParts(8, 2)), waves(2, 2, 8, start=start)
            blocked = ~torch.ones(2, 2, dtype=torch.bool).tril()
            expected, _ = torchs_attention(layer)(x, x, x, attn_mask=blocked)
            keys, values = (
                part(x[:, :1]).view(2, 1, 2, 4).transpose(1, 2) for part in (layer.key, layer.value)
            )
            case = expect.given("heads: 2, width 8, position 1, with keys and values of position 0")
            got = case.call(answer, layer, x[:, 1:], (keys, values), hint=CACHE)
            case.true(
                isinstance(got, tuple), expected="(output, cache)", got=type(got).__name__, hint=CACHE
            )
            case.close(got[0], expected[:, 1:], hint=CACHE, atol=1e-5)
        for heads, width, length in ((1, 4, 2), (2, 8, 5), (4, 8, 3)):
            layer, x = filled(AttentionParts(width, heads)), waves(2, length, width)
            blocked = ~torch.ones(length, length, dtype=torch.bool).tril()
            expected, _ = torchs_attention(layer)(x, x, x, attn_mask=blocked)
            rows: list[int] = []
            for part in (layer.key, layer.value):
                part.register_forward_hook(lambda _, inputs, __, rows=rows: rows.append(inputs[0].numel()))
            outputs: list[Tensor] = []
            cache: Any = None
            kept: Any = None
            for place in range(length):
                case = expect.given(f"heads: {heads}, width {width}, position {place} of {length}")
                got = case.call(answer, layer, x[:, place : place + 1], cache, hint=CACHE)
                case.true(
                    isinstance(got, tuple), expected="(output, cache)", got=type(got).__name__, hint=CACHE
                )
                outputs.append(got[0])
                shapes = [tuple(part.shape) for part in got[1]]
                form = [(2, heads, place + 1, width // heads)] * 2
                case.true(shapes == form, expected=f"keys and values {form}", got=shapes, hint=CACHE)
                unchanged = kept is None or all(map(torch.equal, kept, cache))
                hint = "make new tensors with torch.cat, and leave the old cache as it is"
                case.true(unchanged, expected="the old cache unchanged", got="other values", hint=hint)
                cache, kept = got[1], copy.deepcopy(got[1])
            case.close(torch.cat(outputs, 1), expected, hint=CACHE, atol=1e-5)
            case.true(
                sum(rows) in (0, 2 * x.numel()),
                expected="each position projected once",
                got=f"{sum(rows)} inputs projected, {2 * x.numel()} needed",
                hint=CACHE,
            )
