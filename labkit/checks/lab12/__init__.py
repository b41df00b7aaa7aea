"""Visible checks of lab 12: positions, attention, layers, greedy decoding, a cache, counted products.

Expected values come from NumPy by the definition, or from ``torch.nn``'s own modules on copied weights.
"""

from __future__ import annotations

from collections.abc import Callable

from labkit.checks.lab12.counting import count_matmuls, derived_counts
from labkit.checks.lab12.decoding import attend_next, greedy
from labkit.checks.lab12.layers import attention, layers, multi_head, positional_encoding

__all__ = ["CASES"]

HINTS = {
    "12.1": "Put the angles p · ω_i into a tensor (positions, d/2); `torch.stack([sin, cos], dim=-1)` and "
    "`flatten(1)` interleave them. For the shift write down sin(a + b) and cos(a + b): the 2 × 2 block of a "
    "pair is [[cos, −sin], [sin, cos]] of b = k · ω_i, and `torch.block_diag` puts blocks on a diagonal.",
    "12.3": "`layer.query(x)` has the queries of all heads side by side. `tensor.unflatten(-1, (heads, -1))` "
    "splits the last dimension, `transpose(1, 2)` brings the heads forward. A mask (batch, m, n) needs one more "
    "dimension for the heads: `mask.unsqueeze(1)`. At the end `transpose(1, 2).flatten(2)` joins the heads.",
    "12.6": "The new position may look at everything that is there, so no mask is needed. Split query, key and "
    "value of the new position into heads as in 12.3, `torch.cat` them to the cache along dimension 2, and call "
    "your `attention`.",
    "12.7": "`func._schema.name` is a string such as 'aten::addmm'. A product (…, n, k) @ (…, k, m) takes as many "
    "multiply-accumulates as the left factor has entries, times m.",
}
CASES: dict[str, Callable[..., None]] = {
    "12.1": positional_encoding,
    "12.2": attention,
    "12.3": multi_head,
    "12.4": layers,
    "12.5": greedy,
    "12.6": attend_next,
    "12.7": count_matmuls,
    "12.8": derived_counts,
}
