"""Visible checks of lab 07: sensitivity (07.1 to 07.3, 07.8) and sparse storage (07.4 to 07.6, 07.9)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab07.sensitivity import by_hand, greedy_choice, sensitivity_curve
from labkit.checks.lab07.statistics import reestimated
from labkit.checks.lab07.storage import bitmaps, coordinates, sparse_layers, storage

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "sensitivities_add_up",
    "more_weights_less_sensitive",
    "statistics_can_undo_half",
    "zeros_alone_save_time",
    "coo_saves_at_80",
    "new_statistics_have_a_price",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """07.7: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


HINTS = {
    "07.1": "Keep a clone of the weight, rank its magnitudes once, and at each level write a pruned copy of the "
    "clone into the weight with weight.data.copy_(…). Put the loop into `try:` and copy the clone back in "
    "`finally:`, which runs however the loop ends.",
    "07.4": "weight.nonzero() gives one row per nonzero value, in row-major order; COO wants one column each. "
    "weight[tuple(indices)] takes the values there. For the second function write True at all positions of an "
    "empty mask, and compare both the mask and the number of positions.",
    "07.6": "With k of n weights kept, dense takes n · value_bytes and COO k · (8 · dimensions + value_bytes). "
    "They are equal at k / n = value_bytes / (8 · dimensions + value_bytes); the share of zeros is the rest.",
    "07.8": "First loop over the batch norms: note the momentum, reset_running_stats(), momentum = None, train(). "
    "Then run every batch through the whole model inside torch.no_grad(). Last, model.eval() and the old momenta.",
    "07.9": "numpy.packbits does the first in one call, numpy.unpackbits with count=… most of the second. Without "
    "them: fill up with zeros to a multiple of 8, view(-1, 8), and multiply by 128, 64, …, 1; backwards, "
    "(number >> 7) & 1 is the highest bit.",
}
CASES: dict[str, Callable[..., None]] = {
    "07.1": sensitivity_curve,
    "07.2": by_hand,
    "07.3": greedy_choice,
    "07.4": coordinates,
    "07.5": sparse_layers,
    "07.6": storage,
    "07.7": concept_answers,
    "07.8": reestimated,
    "07.9": bitmaps,
}
