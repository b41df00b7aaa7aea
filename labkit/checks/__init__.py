"""Visible checks: ``check("02.1", magnitude_mask)`` prints ``02.1 ok (6 cases)`` or what is wrong.

A check computes what it expects from the mathematics that an answer must satisfy, independently of the
modules that students may read. There is one module or package per lab (``lab01``, ``lab02``, …); its
``CASES`` maps an exercise to the function that checks it, and its ``HINTS`` to what :func:`hint` prints.
:func:`claim` tests a statement of a lab's text, and :func:`show_predictions` puts predictions beside
measurements.

Leaves out: hidden checks, which are cells of the notebooks, and points (labkit.course.grading).
"""

from labkit.checks.claims import claim
from labkit.checks.expect import CheckFailed, Expect, check, hint
from labkit.checks.predictions import show_predictions

__all__ = ["CheckFailed", "Expect", "check", "claim", "hint", "show_predictions"]
