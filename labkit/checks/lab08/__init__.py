"""Visible checks of lab 08: pruning by saliency."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from labkit.checks.expect import Expect
from labkit.checks.lab08.saliency import (
    grasp_scores,
    hessian_gradient_product,
    snip_scores,
    stage_sparsities,
    staged_masks,
)

__all__ = ["CASES"]

Answer = Callable[..., Any]

STATEMENTS = (
    "double_backward_stores_the_hessian",
    "a_pruned_weight_has_the_highest_grasp_score",
    "two_calibration_sets_keep_the_same_weights",
    "the_layers_shares_matter_more_than_which_weights",
    "snip_needs_second_derivatives",
    "early_unstructured_pruning_shortens_training_here",
)


def concept_answers(expect: Expect, answer: Answer) -> None:
    """08.6: each statement has the answer True or False; grading tells whether it is right."""
    expect.verdicts(answer, STATEMENTS)


CASES: dict[str, Callable[..., None]] = {
    "08.1": hessian_gradient_product,
    "08.2": grasp_scores,
    "08.3": staged_masks,
    "08.4": stage_sparsities,
    "08.5": snip_scores,
    "08.6": concept_answers,
}
