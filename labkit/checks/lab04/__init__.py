"""Visible checks of lab 04: k-means clustering (04.1 to 04.4) and Huffman codes (04.5 to 04.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab04.clustering import density_centroids, initial_centroids, lloyd_step, share
from labkit.checks.lab04.codes import canonical_codes, code_lengths, encode_decode

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "n_shared_weights_at_k_bits_take_nk_bits",
    "pruning_shortens_huffman_codes",
    "n_equally_likely_symbols_take_log2_n_bits",
    "the_likelier_symbol_gets_the_longer_word",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """04.8: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "04.1": lloyd_step,
    "04.2": initial_centroids,
    "04.3": share,
    "04.4": density_centroids,
    "04.5": code_lengths,
    "04.6": canonical_codes,
    "04.7": encode_decode,
    "04.8": concept_answers,
}
