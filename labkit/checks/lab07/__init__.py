"""Visible checks of lab 07: sensitivity of layers (07.1 to 07.3) and sparse storage (07.4 to 07.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab07.sensitivity import by_hand, greedy_choice, sensitivity_curve
from labkit.checks.lab07.storage import coordinates, sparse_layers, storage

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "sensitivities_add_up",
    "first_layer_loses_most",
    "zeros_alone_save_time",
    "coo_saves_at_80",
    "bitmap_has_no_indices",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """07.7: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "07.1": sensitivity_curve,
    "07.2": by_hand,
    "07.3": greedy_choice,
    "07.4": coordinates,
    "07.5": sparse_layers,
    "07.6": storage,
    "07.7": concept_answers,
}
