"""Checks of 12.7 and 12.8: products counted by a dispatch mode, and derived."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from labkit.checks.expect import Expect

__all__ = ["count_matmuls", "derived_counts"]

Answer = Callable[..., Any]

DERIVE = (
    "add up: projections, scores, weighted sums and output of each attention, two for each feed-forward"
)
COUNT = "count mm, bmm, addmm and baddbmm; the factors of addmm and baddbmm are arguments 1 and 2"


def count_matmuls(expect: Expect, answer: Answer) -> None:
    """12.7: products and multiply-accumulates by a dispatch mode."""
    a, b, c = torch.ones(2, 3), torch.ones(3, 5), torch.ones(4, 2, 3)
    linear = nn.Linear(3, 7)
    for text, code, products, macs in (
        ("(2, 3) @ (3, 5)", lambda: a @ b, 1, 30),
        ("a linear layer from 3 to 7, with bias, of 2 rows", lambda: linear(a), 1, 42),
        ("a batched product (4, 2, 3) @ (4, 3, 2)", lambda: c @ c.transpose(1, 2), 1, 48),
        ("a linear layer of a batch (4, 2, 3)", lambda: linear(c), 1, 168),
        ("torch.baddbmm", lambda: torch.baddbmm(torch.ones(1), c, c.transpose(1, 2)), 1, 48),
        ("a sum, an elementwise product and a softmax", lambda: (a + a * a).softmax(-1), 0, 0),
        ("three products one after the other", lambda: linear(a) @ linear(a).T, 3, 42 + 42 + 28),
    ):
        case = expect.given(text)
        counter = case.call(answer, hint=COUNT)
        expected = code()
        with counter:
            got = code()
        hint = "compute the operator, func(*args, **kwargs), and return its result"
        case.true(isinstance(got, Tensor), expected="a tensor", got=type(got).__name__, hint=hint)
        case.close(got, expected, hint=hint, atol=1e-6)
        case.equal([counter.products, counter.macs], [products, macs], hint=COUNT)
    case, counter = expect.given("torch.add(a, a, alpha=2), then a product outside of the block"), answer()
    with counter:
        got = torch.add(a, a, alpha=2)
    _ = a @ b
    case.close(got, 3 * a, hint="hand the keyword arguments on as well")
    case.equal([counter.products, counter.macs], [0, 0], hint="only what happens inside the block counts")


def derived_counts(expect: Expect, answer: Answer) -> None:
    """12.8: products added up one by one, layer by layer and step by step."""
    names = ["per head", "batched", "packed", "fused", "decoder only", "decoding", "cached"]
    for layers_, heads, steps in ((1, 1, 1), (2, 4, 3), (6, 8, 10)):
        case = expect.given(f"N = {layers_}, h = {heads}, T = {steps}")
        got = case.call(answer, layers_, heads, steps, hint=DERIVE)
        case.keys(got, names)
        for name in names:
            expected = _added_up(name, layers_, heads, steps)
            case.given(f"N = {layers_}, h = {heads}, T = {steps}, {name!r}").equal(
                got[name], expected, hint=DERIVE
            )


def _added_up(way: str, layers_: int, heads: int, steps: int) -> int:
    """Add up the products of a pass, or of decoding."""
    self_attention, cross_attention = {"batched": (6, 6), "packed": (4, 5), "fused": (2, 3)}.get(
        way, (5 * heads + 1,) * 2
    )
    encoder, decoder = layers_ * (self_attention + 2), layers_ * (self_attention + cross_attention + 2)
    if way == "decoder only":
        return encoder + 1
    if way == "decoding":
        return encoder + sum(decoder + 1 for _ in range(steps))
    if way == "cached":
        memory = layers_ * heads * 2
        return encoder + memory + sum(decoder - memory + 1 for _ in range(steps))
    return encoder + decoder + 1
