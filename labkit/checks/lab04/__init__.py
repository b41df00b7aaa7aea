"""Visible checks of lab 04: clustering (04.1 to 04.4), a trained codebook (04.5), codes (04.6 to 04.8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab04.clustering import density_centroids, initial_centroids, lloyd_step, share
from labkit.checks.lab04.codes import canonical_codes, code_lengths, encode_decode
from labkit.checks.lab04.training import shared_weight

__all__ = ["CASES", "HINTS"]

Answer = Callable[..., Any]

STATEMENTS = (
    "n_shared_weights_at_k_bits_take_nk_bits",
    "a_lookup_table_is_a_small_part_of_every_layer",
    "pruning_shortens_the_code_of_every_layer",
    "n_equally_likely_symbols_take_log2_n_bits",
    "the_shortest_code_goes_with_a_larger_error",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """04.9: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "04.1": lloyd_step,
    "04.2": initial_centroids,
    "04.3": share,
    "04.4": density_centroids,
    "04.5": shared_weight,
    "04.6": code_lengths,
    "04.7": canonical_codes,
    "04.8": encode_decode,
    "04.9": concept_answers,
}
HINTS = {
    "04.1": "np.searchsorted(middles, values, side='right') gives the number of each value's cell; "
    "np.bincount counts the values of each cell and, with weights=values, adds them up.",
    "04.2": "for k-means++ keep the squared distance of every value to its nearest centroid in an array; "
    "np.minimum updates it after each draw, and generator.choice takes it, divided by its sum, as p.",
    "04.4": "np.histogram gives counts and edges. Put a 0 before the cumulative sum of the masses; then "
    "np.interp(wanted_mass, cumulative_mass, edges) finds where a mass is reached.",
    "04.5": "in forward keep the indices with ctx.save_for_backward and the length of the codebook in ctx; "
    "in backward torch.zeros(entries).index_add(0, indices.flatten(), gradient.flatten()) adds up.",
    "04.6": "keep (count, symbols below this node) in a heap; at each merge every symbol of both nodes "
    "gets one bit more.",
    "04.7": "work with an integer: number << difference of the lengths appends zeros, and "
    'format(number, "05b") writes it with five digits.',
    "04.8": "turn the dict around (word to symbol), and collect bits in a string until it is one of its keys.",
}
