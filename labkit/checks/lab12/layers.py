"""Checks of 12.1 to 12.4: positions, attention, several heads, layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.checks.expect import Expect
from labkit.checks.lab12.modules import (
    AttentionParts,
    LayerParts,
    exact,
    filled,
    padding,
    torchs_attention,
    torchs_layer,
    waves,
)

__all__ = ["attention", "layers", "multi_head", "positional_encoding"]

Answer = Callable[..., Any]

PE = "entry (p, 2i) is sin(p · ω_i), entry (p, 2i+1) is cos(p · ω_i), with ω_i = 10000^(−2i/d)"
SHIFT = (
    "each pair (sin, cos) is turned by the angle k · ω_i; the row vector stands on the left of the matrix"
)
SCORES = "softmax over the keys of QKᵀ/√d, with −inf where the mask is False, then times V"
HIDDEN = "raise ValueError if a query may look at no key: the softmax of −inf alone is NaN"
HEADS = "head i uses rows i·d/h to (i+1)·d/h of the projections; concatenate the heads, then layer.output"
ENCODER = "x ← norm1(x + attention), then norm2(x + feed_forward): the sum is normalized"
DECODER = (
    "attention to itself, then cross_attention to the memory, then feed_forward; each as in the encoder"
)


def positional_encoding(expect: Expect, answer: Answer, shift: Answer) -> None:
    """12.1: sines and cosines of growing wavelengths; a shift is a rotation of each pair."""
    for positions, width in (([0, 1, 2, 3], 4), ([0, 7, 100, 5000], 6), ([3], 2), ([2, 0, 2], 8)):
        case = expect.given(f"positions {positions}, width {width}")
        got = case.call(answer, torch.tensor(positions), width, hint=PE)
        frequencies = [10_000 ** (-2 * i / width) for i in range(width // 2)]
        angles = np.outer(positions, frequencies)
        expected = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(len(positions), width)
        case.close(got, expected, hint=PE, atol=1e-8)
        got = np.asarray(shift(5, width))
        case = expect.given(f"k = 5, width {width}: the encoding of p times the matrix, p = {positions}")
        moved = np.outer(np.add(positions, 5), frequencies)
        target = np.stack([np.sin(moved), np.cos(moved)], axis=-1).reshape(len(positions), width)
        case.close(expected @ got, target, hint=SHIFT, atol=1e-8)
    case = expect.given("k = −3 after k = 3, width 6")
    product = np.asarray(shift(3, 6)) @ np.asarray(shift(-3, 6))
    case.close(product, np.eye(6), hint=SHIFT, atol=1e-8)


def attention(expect: Expect, answer: Answer) -> None:
    """12.2: scaled dot-product attention with a boolean mask."""
    causal = torch.ones(3, 3, dtype=torch.bool).tril()
    padded = torch.tensor([[[True, True, False]], [[True, False, False]]])
    for place, (text, shape, mask) in enumerate(
        (
            ("a causal mask", (3, 3), causal),
            ("a mask that looks ahead", (3, 3), causal.T),
            ("3 queries, 3 keys, no mask", (3, 3), None),
            ("a batch of 2, 2 queries, 5 keys, no mask", (2, 2, 5), None),
            ("a batch of 2 with a padding mask (2, 1, 3)", (2, 3, 3), padded),
            ("a batch of 2 with a causal and padding mask", (2, 3, 3), causal & padded),
        )
    ):
        case = expect.given(text)
        *batch, queries, keys = shape
        q, k, v = (
            waves(*batch, n, d, start=i + 5 * place)
            for i, (n, d) in enumerate([(queries, 4), (keys, 4), (keys, 6)])
        )
        arguments = (3 * q, k, v) if mask is None else (3 * q, k, v, mask)
        got = case.call(answer, *arguments, hint=SCORES)
        case.true(
            isinstance(got, tuple) and len(got) == 2,
            expected="(output, weights)",
            got=type(got).__name__,
            hint=SCORES,
        )
        expected = functional.scaled_dot_product_attention(3 * q, k, v, mask)
        case.close(got[0], expected, hint=SCORES, atol=1e-6)
        case.close(
            got[1].sum(-1), torch.ones(*batch, queries), hint="the weights of a query sum to 1", atol=1e-6
        )
    q = torch.tensor([[200.0, 0.0], [0.0, 200.0]])
    case = expect.given("scores of 20,000")
    case.close(case.call(answer, q, q, torch.eye(2), hint=SCORES)[0], torch.eye(2), hint=SCORES, atol=1e-6)
    nothing = torch.tensor([[True, True], [False, False]])
    expect.given("a mask whose second query may look at nothing").raises(
        ValueError, answer, q, q, torch.eye(2), nothing, hint=HIDDEN
    )


def multi_head(expect: Expect, answer: Answer) -> None:
    """12.3: as torch.nn.MultiheadAttention on the same weights."""
    with exact():
        causal = torch.ones(1, 3, 3, dtype=torch.bool).tril()
        masks = {"causal": causal, "looking ahead": causal.mT, "padding": padding(3)}
        for place, (heads, width, text) in enumerate(
            (
                (2, 8, "causal"),
                (2, 8, "looking ahead"),
                (1, 4, "no mask"),
                (4, 8, "padding"),
                (3, 12, "another source"),
            )
        ):
            case = expect.given(f"heads: {heads}, width {width}, {text}")
            layer, x = filled(AttentionParts(width, heads)), waves(2, 3, width, start=place)
            source = waves(2, 5, width, start=9) if text == "another source" else x
            mask = masks.get(text)
            blocked = None if mask is None else ~mask.expand(2, 3, 3).repeat_interleave(heads, 0)
            output, weights = torchs_attention(layer)(
                x, source, source, attn_mask=blocked, average_attn_weights=False
            )
            arguments = (layer, x, source) if mask is None else (layer, x, source, mask)
            got = case.call(answer, *arguments, hint=HEADS)
            case.true(
                isinstance(got, tuple), expected="(output, weights)", got=type(got).__name__, hint=HEADS
            )
            case.close(got[0], output, hint=HEADS, atol=1e-5)
            case.close(got[1], weights, hint="weights of every head, (batch, heads, m, n)", atol=1e-5)


def layers(expect: Expect, encoder: Answer, decoder: Answer) -> None:
    """12.4: as torch's encoder and decoder layers on the same weights."""
    ahead = torch.ones(1, 3, 3, dtype=torch.bool).triu()
    with exact():
        for place, (heads, own_mask, seen) in enumerate(
            (
                (2, padding(3), padding(4)),
                (2, padding(3).flip(0), padding(4).flip(0)),
                (1, padding(3), None),
                (1, None, None),
            )
        ):
            x, memory = waves(2, 3, 8, start=place), waves(2, 4, 8, start=5 + place)
            case = expect.given(f"an encoder layer, heads: {heads}, {_told(own_mask)}")
            layer = filled(LayerParts(8, heads, cross=False))
            expected = torchs_layer(layer, nn.TransformerEncoderLayer)(
                x, src_key_padding_mask=None if own_mask is None else ~own_mask[:, 0]
            )
            got = case.call(encoder, layer, x, *([] if own_mask is None else [own_mask]), hint=ENCODER)
            case.close(got, expected, hint=ENCODER, atol=1e-5)
            mask = None if own_mask is None else ahead if place == 1 else ahead.mT
            case = expect.given(
                f"a decoder layer, heads: {heads}, {_told(mask)} for x, {_told(seen)} for the memory"
            )
            layer = filled(LayerParts(8, heads, cross=True))
            expected = torchs_layer(layer, nn.TransformerDecoderLayer)(
                x,
                memory,
                tgt_mask=None if mask is None else ~mask[0],
                memory_key_padding_mask=None if seen is None else ~seen[:, 0],
            )
            masks = [part for part in (mask, seen) if part is not None]
            case.close(
                case.call(decoder, layer, x, memory, *masks, hint=DECODER),
                expected,
                hint=DECODER,
                atol=1e-5,
            )


def _told(mask: Tensor | None) -> str:
    return "no mask" if mask is None else f"the mask {mask.int().tolist()}"
