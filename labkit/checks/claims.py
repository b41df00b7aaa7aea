"""Claims: a sentence of a lab that the lab itself puts to the test each time it runs.

A number may move a little on another processor; what the text concludes from it must not. So a
conclusion is recorded as words, ``holds`` or ``does not hold``, and compared exactly.
"""

from __future__ import annotations

import numpy as np

__all__ = ["claim"]


def claim(text: str, condition: object) -> None:
    """Print whether ``text`` holds.

    Args:
        text: a whole statement, such as ``"pruning 40 % costs less than 3 points"``.
        condition: True or False: a bool, or an array or tensor with one boolean entry.

    Raises:
        TypeError: if ``condition`` is anything else; ``claim(text, 2.4)`` would always hold.
        ValueError: if ``text`` is empty or has more than one line.

    >>> claim("pruning 40 % costs less than 3 points", 2.4 < 3)
    holds: pruning 40 % costs less than 3 points
    >>> claim("rounding to 2 bits costs nothing", False)
    does not hold: rounding to 2 bits costs nothing
    """
    if not text.strip() or len(text.splitlines()) != 1:
        raise ValueError(f"a claim is one line of text, got {text!r}.")
    value = np.asarray(condition.detach().cpu() if hasattr(condition, "detach") else condition)
    if value.dtype != np.bool_ or value.size != 1:
        raise TypeError(
            f"the condition of a claim is True or False, got {condition!r}; compare it: claim(text, x < 3)."
        )
    print(f"{'holds' if value.item() else 'does not hold'}: {text}")  # noqa: T201
