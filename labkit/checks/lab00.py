"""Visible check of lab 00: one small exercise, to learn how exercises work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from labkit.checks.expect import Expect

__all__ = ["CASES"]

SHARE = "Divide the number of zeros by the number of all entries: the result lies between 0 and 1."


def share_of_zeros(expect: Expect, answer: Callable[..., Any]) -> None:
    """00.1: compare with shares counted by hand."""
    for text, values, share in (
        ("tensor([0., 5., 0., 2.])", [0.0, 5, 0, 2], 0.5),
        ("tensor([1., 0., 3.])", [1.0, 0, 3], 1 / 3),
        ("a matrix of 2 × 3 entries, one of them 0", [[1.0, 2, 0], [4, 5, 6]], 1 / 6),
        ("tensor([-1., 0., 0.001])", [-1.0, 0, 0.001], 1 / 3),
        ("four entries, none of them 0", [1.0, 2, 3, 4], 0.0),
        ("only zeros", [0.0, 0, 0], 1.0),
    ):
        case = expect.given(text)
        case.close(case.call(answer, torch.tensor(values), hint=SHARE), share, hint=SHARE, atol=1e-6)
    images = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    images[0, 0, 0, :2] = 200
    case = expect.given("images of uint8, shape (2, 3, 4, 4), with two pixel values that are not 0")
    case.close(case.call(answer, images, hint=SHARE), 94 / 96, hint=SHARE, atol=1e-6)


CASES = {"00.1": share_of_zeros}
