"""Claims: statements of a lab's text that the lab tests each time it runs.

A number may differ slightly on another processor; the conclusion that the text draws from it must not
change. So the conclusion is recorded as words, ``holds`` or ``does not hold``, and compared exactly.
"""

from __future__ import annotations

import numpy as np

__all__ = ["claim"]


def claim(text: str, condition: object) -> None:
    """Print whether a statement holds.

    Args:
        text: a complete statement, such as ``"pruning 40 % costs less than 3 points"``.
        condition: whether it holds: a bool, or an array or tensor with one boolean entry.

    Raises:
        TypeError: if ``condition`` is anything else; ``claim(text, 2.4)`` would always hold.
        ValueError: if ``text`` is empty or has more than one line.

    >>> claim("pruning 40 % costs less than 3 points", 2.4 < 3)
    holds: pruning 40 % costs less than 3 points
    >>> claim("rounding to 2 bits costs nothing", False)
    does not hold: rounding to 2 bits costs nothing
    """
    if not text.strip() or len(text.splitlines()) != 1:
        raise ValueError(f"a claim must be one line of text, got {text!r}.")
    value = np.asarray(condition.detach().cpu() if hasattr(condition, "detach") else condition)
    if value.dtype != np.bool_ or value.size != 1:
        raise TypeError(
            f"the condition of a claim must be True or False, got {condition!r}; write a comparison, "
            "such as claim(text, x < 3)."
        )
    print(f"{'holds' if value.item() else 'does not hold'}: {text}")  # noqa: T201
