"""Visible check 04.5: the gradient of a codebook. The oracle adds up in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from labkit.checks.expect import Expect

__all__ = ["shared_weight"]

Answer = Callable[..., Any]

LOOKUP = "forward: each index is replaced by its entry, codebook[indices]"
SUM = "the gradient of an entry is the sum of the gradients of all weights that have its index"
ZERO = "entry 0 is the reserved zero: its gradient is 0, so training cannot move it"
UNUSED = "one number per entry of the codebook: 0 for an entry that no weight uses"


def shared_weight(expect: Expect, apply: Answer) -> None:
    """04.5: forward is the look-up; backward adds up per entry, except for the reserved zero."""
    for codebook, indices, why in (
        ([0.0, -1.0, 2.0], [[1, 2, 1], [2, 1, 1]], SUM),
        ([0.0, -0.5, 0.25, 3.0], [[0, 3, 3], [1, 0, 2]], ZERO),
        ([0.0, 1.0, 2.0, 3.0, 4.0], [1, 1, 3], UNUSED),
        ([0.0, 7.0], [[[[1, 0]], [[1, 1]]], [[[0, 1]], [[1, 0]]]], SUM),
        ([0.0, 1.5, -1.5], [[0, 0], [0, 0]], ZERO),
    ):
        case = expect.given(f"codebook = {codebook}, indices = {indices}")
        entries = torch.tensor(codebook, dtype=torch.float64, requires_grad=True)
        places = torch.tensor(indices)
        weight = case.call(apply, entries, places, hint=LOOKUP)
        case.true(isinstance(weight, Tensor), expected="a tensor", got=weight, hint=LOOKUP)
        case.equal(
            weight.detach(), torch.tensor(codebook, dtype=torch.float64)[places].numpy(), hint=LOOKUP
        )
        steps = torch.arange(places.numel(), dtype=torch.float64).view(places.shape)
        received = 2.0 ** (steps % 5) * (1 - 2 * (steps % 3 == 1).double())
        case = expect.given(
            f"codebook = {codebook}, indices = {indices}, gradient of the weights {received.tolist()}"
        )
        got = case.call(lambda w, g, e=entries: torch.autograd.grad(w, e, g)[0], weight, received, hint=SUM)
        pairs = list(zip(places.flatten().tolist(), received.flatten().tolist(), strict=True))
        expected = [sum(g for index, g in pairs if index == entry) for entry in range(len(codebook))]
        case.close(got, [0.0, *expected[1:]], hint=why)
