"""Visible checks: ``check("02.1", magnitude_mask)`` prints ``02.1 ok (6 cases)`` or says what is wrong.

A check knows the mathematics an answer must satisfy, not the reference answer: oracles here are
written independently of the modules students may read. One module a lab (``lab01``, ``lab02``, …).
:func:`claim` puts a statement of a lab's own text to the test. Leaves out: points (labkit.course.nbval_plugin) and hidden checks (cells of the notebooks).
"""

from labkit.checks.claims import claim
from labkit.checks.expect import CheckFailed, Expect, check

__all__ = ["CheckFailed", "Expect", "check", "claim"]
