"""Visible checks of lab 08: pruning by saliency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab08.saliency import (
    grasp_scores,
    hessian_gradient_product,
    same_counts_at_random,
    snip_scores,
    stage_sparsities,
    staged_masks,
)

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "a_filter_has_scores_of_both_signs",
    "grasp_keeps_more_gradient_than_chance_at_every_share",
    "by_score_alone_weights_return_at_every_stage",
    "two_calibration_sets_keep_mostly_the_same_weights",
    "the_layers_counts_matter_more_than_which_weights",
    "with_80_percent_zeros_coo_is_smaller_than_dense",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """08.7: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "08.1": hessian_gradient_product,
    "08.2": grasp_scores,
    "08.3": staged_masks,
    "08.4": stage_sparsities,
    "08.5": snip_scores,
    "08.6": same_counts_at_random,
    "08.7": concept_answers,
}
