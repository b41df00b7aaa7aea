"""Visible checks of lab 05: ratio, entropy bound, byte ledger, batch normalization; 05.5 is in pipeline.

The oracles are entropies counted symbol by symbol in plain Python and PyTorch's batch normalization.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from labkit.checks.expect import Expect
from labkit.checks.lab05.entropy import entropy_bound
from labkit.checks.lab05.pipeline import compress_network

__all__ = ["CASES"]

Answer = Callable[..., Any]

FORMULA = "before: 32 bits per weight; after: huffman_bits for each of the nonzero weights"
BOUND = "H(p) for which weights are kept, and p · H(v) for their values: v are the nonzero indices only"
GROUPS = {"weights": 0, "other tensors": 0, "overhead": 0}
LEDGER = "mask, values and codebooks are weights; dense tensors are other tensors; the rest is overhead"
LINE = "γ (x − mean) / √(var + ε) + β is scale · x + shift: collect what multiplies x and what does not"
UNTOUCHED = "leave the arguments as they are and return something new"


def formula_ratio(expect: Expect, answer: Answer) -> None:
    """05.1: compare with the product of the three factors, and check the ends of the range."""
    for nonzero, total, bits, huffman_bits, why in (
        (36, 100, 5, 4.298, "the assignment's figures give 20.67"),
        (100, 100, 8, 8.0, "nothing pruned, nothing gained by Huffman: only 32 / bits remains"),
        (1, 8, 2, 1.5, FORMULA),
        (3, 7, 3, 2.25, FORMULA),
        (3, 7, 6, 2.25, "bits / 32 · huffman_bits / bits: the width of an index cancels"),
        (10, 10, 1, 64.0, "a ratio below 1 is possible: Huffman tables of a bad choice"),
    ):
        case = expect.given(
            f"nonzero = {nonzero}, total = {total}, bits = {bits}, huffman_bits = {huffman_bits}"
        )
        got = case.call(answer, nonzero, total, bits, huffman_bits, hint=why)
        expected = 1 / (nonzero / total * bits / 32 * huffman_bits / bits)
        case.close(got, expected, hint=why)
    why = "where nothing is left to store the formula promises any ratio: math.inf"
    for nonzero, huffman_bits in ((0, 4.0), (5, 0.0), (0, 0.0)):
        case = expect.given(f"nonzero = {nonzero}, total = 9, bits = 5, huffman_bits = {huffman_bits}")
        got = case.call(answer, nonzero, 9, 5, huffman_bits, hint=why)
        case.true(got == math.inf, expected="inf", got=got, hint=why)


def bound_bits(expect: Expect, answer: Answer) -> None:
    """05.2: compare with entropies counted symbol by symbol."""
    for indices, why in (
        ([0, 0, 1, 2], BOUND),
        ([[0, 3, 0, 1], [2, 0, 0, 1]], BOUND),
        ([0, 0, 0, 0, 0, 0, 0, 5], "one value: the mask costs bits, the values none"),
        ([4, 4, 2, 1], "nothing pruned: the mask costs 0 bits, and 0 · log 0 counts as 0"),
        ([0, 0, 0], "all pruned: 0 bits, and there is no value to take an entropy of"),
        ([7], "one symbol in all: 0 bits"),
        ([], "an empty array costs nothing"),
        ([*[0] * 90, *[1] * 5, *[300] * 3, 900, 901], "an index only names a value; gaps cost nothing"),
    ):
        array = np.array(indices, np.int32)
        case = expect.given(
            f"indices = {indices}" if array.size < 20 else "90 zeros, five 1, three 300, 900, 901"
        )
        got = case.call(answer, array, hint=BOUND)
        case.close(got, entropy_bound(array.ravel().tolist()), hint=why)
    small = np.array([0, 255, 254, 0], np.uint8)
    got = expect.given("uint8 indices").call(answer, small, hint=BOUND)
    expect.given("indices = [0, 255, 254, 0], uint8").close(got, (1.0, 0.5), hint=BOUND)


def byte_ledger(expect: Expect, answer: Answer) -> None:
    """05.3: the groups sum to the file's size; rows that do not sum to it are an error."""
    whole = [("magic and version", 5), ("header", 300), ("mask", 4000), ("values", 900)]
    whole += [("codebooks", 70), ("dense tensors", 210), ("checksum", 4)]
    for rows, expected, why in (
        (whole, {"weights": 4970, "other tensors": 210, "overhead": 309}, LEDGER),
        (
            [(part, size + 1) for part, size in whole[::-1]],
            {"weights": 4973, "other tensors": 211, "overhead": 312},
            "rows may come in any order",
        ),
        ([("mask", 3), ("mask", 4), ("header", 1)], GROUPS | {"weights": 7, "overhead": 1}, "add all rows"),
        ([("checksum", 4)], GROUPS | {"overhead": 4}, "a group without rows is still listed, with 0 bytes"),
        ([], GROUPS, "no rows and no bytes: every group is 0"),
    ):
        case, size = expect.given(f"rows = {rows}"), sum(expected.values())
        got = case.call(answer, list(rows), size, hint=LEDGER)
        fits = isinstance(got, Mapping) and dict(got) == expected
        case.given(f"{case}, file_bytes = {size}").true(fits, expected=str(expected), got=got, hint=why)
    for rows, size, why in (
        (whole, 5490, "the rows sum to 5489: bytes that no row accounts for are a ValueError"),
        (whole, 5488, "the rows sum to 5489, more than the file holds: ValueError"),
        ([], 1, "bytes that no row accounts for are a ValueError"),
        ([("mask", 3), ("padding", 2)], 5, "'padding' belongs to no group: ValueError"),
        ([("mask", 9), ("header", -4)], 5, "a negative number of bytes is a ValueError"),
    ):
        expect.given(f"rows = {rows}, file_bytes = {size}").raises(
            ValueError, answer, list(rows), size, hint=why
        )


def scale_and_shift(expect: Expect, scale_and_shift_of: Answer, apply: Answer) -> None:
    """05.4: compare with PyTorch's batch normalization in evaluation mode."""
    generator = torch.Generator().manual_seed(5)
    for shape, epsilon, why in (
        ((3, 4, 2, 5), 1e-5, LINE),
        ((2, 1, 3, 3), 1e-5, "there may be a single channel"),
        ((3, 4, 2, 5), 0.5, "ε is under the root, beside the variance"),
        ((2, 6, 1, 1), 1e-3, "channels are dimension 1 of x"),
        ((0, 2, 3, 3), 1e-5, "no images: an empty output of the same shape"),
    ):
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        gamma, beta, mean, var = torch.randn(4, shape[1], generator=generator, dtype=torch.float64)
        var = var.square()
        var[0] = 0.0  # subtle: a dead channel, which only ε keeps finite
        vectors = (gamma, beta, mean, var)
        copies = [vector.clone() for vector in vectors]
        case = expect.given(f"x of shape {shape}, ε = {epsilon}, one variance 0")
        got = case.call(scale_and_shift_of, *vectors, epsilon, hint=LINE)
        pair = isinstance(got, tuple) and len(got) == 2
        case.true(pair, expected="(scale, shift)", got=got, hint="return two tensors")
        form = [tuple(getattr(vector, "shape", ())) for vector in got]
        fits = form == [(shape[1],)] * 2
        case.true(fits, expected=f"two of shape ({shape[1]},)", got=form, hint=LINE)
        same = all(torch.equal(a, b) for a, b in zip(vectors, copies, strict=True))
        case.true(same, expected="arguments unchanged", got=vectors, hint=UNTOUCHED)
        expected = functional.batch_norm(x, mean, var, gamma, beta, eps=epsilon)
        out = case.call(apply, x.clone(), *got, hint="scale · x + shift, channel by channel")
        expect.given(f"the output for {case}").close(out, expected, hint=why, atol=1e-8)


CASES: dict[str, Callable[..., None]] = {
    "05.1": formula_ratio,
    "05.2": bound_bits,
    "05.3": byte_ledger,
    "05.4": scale_and_shift,
    "05.5": compress_network,
}
