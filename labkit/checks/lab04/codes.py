"""Visible checks 04.6 to 04.8: Huffman code lengths, canonical codes, encoding and decoding.

The oracles are the cost of an optimal code, Kraft's sum, the definition of entropy, and written-out
code words.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from labkit.checks.expect import Expect

__all__ = ["canonical_codes", "code_lengths", "encode_decode"]

Answer = Callable[..., Any]

COST = "merge the two rarest nodes until one is left; every merge adds a bit to all symbols below it"
ALONE = "a single symbol needs no bits: its length is 0"
ORDER = "by length, then by symbol: add 1 to the last word, append zeros where the length grows"
MISFIT = "raise ValueError if the bits end inside a word or hold more or fewer symbols than count"
UNTOUCHED = "leave the arguments as they are and return something new"


def code_lengths(expect: Expect, lengths_of: Answer, average_and_entropy: Answer) -> None:
    """04.6: the cost is optimal, the code complete, and average length and entropy obey their bound."""
    for counts, why in (
        ([5, 2, 1, 1], COST),
        ([10, 9, 8, 7], COST),
        ([1, 1, 1, 1, 1], "five equal counts take three words of 2 bits and two of 3"),
        ([35, 17, 17, 16, 15], "a split from the top (Shannon–Fano) is not always best: merge from below"),
        ([1, 1, 2, 3, 5, 8, 13, 21], "Fibonacci counts give the deepest tree there is"),
        ([0, 7, 0, 1, 0], "a symbol that does not occur has no word"),
        ([1000, 1], "two symbols take one bit each, however unequal"),
        ([0, 0, 4], ALONE),
        ([0, 0], "no symbols, no words: an empty dict"),
        ([], "no symbols, no words: an empty dict"),
    ):
        case = expect.given(f"counts = {counts}")
        used = [symbol for symbol, count in enumerate(counts) if count]
        given_counts = list(counts)
        got = case.call(lengths_of, given_counts, hint=COST)
        fits = isinstance(got, Mapping) and sorted(got) == used
        form = f"a dict with the keys {used}"
        case.true(fits, expected=form, got=got, hint="one entry per symbol that occurs, and no others")
        case.true(given_counts == counts, expected=f"{counts}", got=given_counts, hint=UNTOUCHED)
        cost = sum(counts[symbol] * int(length) for symbol, length in got.items())
        why_not_free = f"{why}; a prefix code needs Σ 2^−length = 1"
        kraft = sum((Fraction(1, 2 ** max(int(length), 0)) for length in got.values()), Fraction())
        complete = kraft == bool(used)
        case.true(complete, expected="Σ 2^−length = 1", got=dict(got), hint=why_not_free)
        expected = _least_cost(counts)
        case.true(cost == expected, expected=f"{expected} bits in all", got=f"{cost} bits", hint=why)
        pair = case.call(average_and_entropy, counts, dict(got), hint="return two numbers")
        total = sum(counts)
        shares = [counts[symbol] / total for symbol in used]
        entropy = sum(-p * math.log2(p) for p in shares)
        figures = "L = Σ p · length and H = −Σ p log2 p over the symbols that occur; both 0 without any"
        expect.given(f"L and H for {case}").close(pair, [cost / max(total, 1), entropy], hint=figures)
        bound = not used or entropy - 1e-9 <= pair[0] < entropy + 1
        case.true(bound, expected="H ≤ L < H + 1", got=pair, hint=figures)


def canonical_codes(expect: Expect, answer: Answer) -> None:
    """04.7: the lengths determine the words."""
    for lengths, expected in (
        ({0: 1, 1: 2, 2: 3, 3: 3}, {0: "0", 1: "10", 2: "110", 3: "111"}),
        ({0: 3, 1: 1, 2: 3, 3: 2}, {1: "0", 3: "10", 0: "110", 2: "111"}),
        ({9: 2, 4: 2, 7: 2, 1: 2}, {1: "00", 4: "01", 7: "10", 9: "11"}),
        ({5: 3, 2: 3, 8: 2, 0: 2, 1: 2}, {0: "00", 1: "01", 8: "10", 2: "110", 5: "111"}),
        (
            {0: 1, 1: 4, 2: 4, 3: 4, 4: 4, 5: 4, 6: 4, 7: 4, 8: 4},
            {0: "0"} | {s: f"1{s - 1:03b}" for s in range(1, 9)},
        ),
        ({3: 0}, {3: ""}),
        ({}, {}),
    ):
        case = expect.given(f"lengths = {lengths}")
        got = case.call(answer, dict(lengths), hint=ORDER)
        why = ORDER if len(lengths) > 1 else "the only symbol has the empty word; no symbols, no words"
        case.equal(got, expected, hint=why)


def encode_decode(expect: Expect, encode: Answer, decode: Answer) -> None:
    """04.8: both directions, and bits that do not fit the codes."""
    codes = {0: "0", 5: "10", 2: "110", 9: "111"}
    for symbols, table, bits in (
        ([0, 9, 5, 0], codes, "0111100"),
        ([2, 2, 9, 0, 5, 5], codes, "110110111" + "01010"),
        ([5, 5, 2, 9], {0: "10", 5: "0", 2: "111", 9: "110"}, "00111110"),
        ([1, 0, 1], {0: "0", 1: "1"}, "101"),
        ([], codes, ""),
        ([4, 4, 4], {4: ""}, ""),
        ([], {}, ""),
    ):
        case = expect.given(f"symbols = {symbols}, codes = {table}")
        got = case.call(encode, symbols, table, hint="the words one after the other")
        case.equal(got, bits, hint="the words one after the other, with nothing between")
        case = expect.given(f"bits = {bits!r}, codes = {table}, count = {len(symbols)}")
        why = "read bit by bit; as soon as the bits read are a word, that is the symbol"
        why = why if len(table) > 1 else "one symbol, the empty word: count says how often it occurs"
        got = case.call(decode, bits, table, len(symbols), hint=why)
        case.equal(got, symbols, hint=why)
    for bits, table, count in (
        ("01111", codes, 3),
        ("0", codes, 2),
        ("000", codes, 2),
        ("1", {4: ""}, 3),
        ("", codes, 1),
    ):
        case = expect.given(f"bits = {bits!r}, codes = {table}, count = {count}")
        case.raises(ValueError, decode, bits, table, count, hint=MISFIT)


def _least_cost(counts: Sequence[int]) -> int:
    """Return the bits that an optimal prefix code takes: the sum of all merged counts."""
    queue, cost = sorted(count for count in counts if count), 0
    while len(queue) > 1:
        merged = queue.pop(0) + queue.pop(0)
        cost += merged
        insort(queue, merged)
    return cost
