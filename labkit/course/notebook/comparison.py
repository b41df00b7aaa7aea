"""Compare a recorded text with a new one: floats within a tolerance, everything else exactly.

The width of columns does not matter, since aligned columns move if a number needs one digit more: any
number of blanks between two words counts as one blank, and blanks beside a number are ignored. Line
breaks matter. Leaves out: which outputs are compared (:mod:`labkit.course.nbval_plugin.items`).
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

__all__ = ["DEFAULT", "EXACT", "Tolerance", "differences", "share_used"]

# A number that stands by itself: not the 1 of conv1, the 2.0 of layer2.0 or a part of version 1.2.3.
NUMBER = re.compile(r"(?<![\w.])([-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)(?!\w|\.\d)")
INTEGER = re.compile(r"[-+]?\d+")


class Tolerance(NamedTuple):
    """The largest allowed distance of a number from the recorded one, ``atol + rtol · |recorded|``."""

    rtol: float = 1e-6
    atol: float = 1e-6


DEFAULT = Tolerance()
EXACT = Tolerance(0.0, 0.0)


def differences(recorded: str, got: str, tolerance: Tolerance = DEFAULT) -> list[str]:
    """Return the differences of two texts, one sentence per place; an empty list if there are none.

    Two literals with a decimal point or an exponent are compared as numbers. Integers, words and the
    number of lines must be equal.

    >>> differences("top-1  91.40 %", "top-1 100.00 %", Tolerance(atol=0.5))
    ['line 1: recorded 91.40, got 100.00, apart by 8.6, tolerance 0.500091']
    >>> differences("layer  zeros\\nconv1  9.99\\n", "layer  zeros\\nconv1  10.00\\n", Tolerance(atol=0.5))
    []
    >>> differences("12 cases", "13 cases")
    ['line 1: recorded 12, got 13, compared exactly']
    """
    old_lines, new_lines = recorded.rstrip().splitlines(), got.rstrip().splitlines()
    sentences = []
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=False), 1):
        sentences += [f"line {number}: {what}" for what in _line_differences(old, new, tolerance)]
    if len(old_lines) != len(new_lines):
        sentences.append(f"recorded {len(old_lines)} lines, got {len(new_lines)}")
    return sentences


def share_used(recorded: str, got: str, tolerance: Tolerance = DEFAULT) -> float:
    """Return the largest distance of two numbers as a share of the tolerance.

    It is infinite if :func:`differences` finds any.

    >>> share_used("top-1  91.40 %", "top-1  91.50 %", Tolerance(rtol=0, atol=0.5))
    0.2
    >>> share_used("12 cases", "13 cases")
    inf
    """
    if differences(recorded, got, tolerance):
        return math.inf
    pairs = zip(NUMBER.findall(recorded), NUMBER.findall(got), strict=True)
    shares = [
        abs(float(new) - float(old)) / (tolerance.atol + tolerance.rtol * abs(float(old)))
        for old, new in pairs
        if float(new) != float(old)
    ]
    return round(max(shares, default=0.0), 6)


def _line_differences(recorded: str, got: str, tolerance: Tolerance) -> list[str]:
    """Return the differences of one line."""
    old, new = _tokens(recorded), _tokens(got)
    if len(old) != len(new):
        return [f"recorded {recorded.strip()!r}, got {got.strip()!r}"]
    pairs = zip(old, new, strict=True)
    return [what for what in (_token_difference(*pair, tolerance) for pair in pairs) if what]


def _tokens(line: str) -> list[str]:
    """Return the numbers of a line and the words between them.

    >>> _tokens("x = [ 0.5 -1.]  # layer1.0")
    ['x', '=', '[', '0.5', '-1.', ']', '#', 'layer1.0']
    """
    # subtle: the pattern has one group, so `split` returns the numbers too, in every second place.
    return [word for part in NUMBER.split(line) for word in part.split()]


def _token_difference(recorded: str, got: str, tolerance: Tolerance) -> str | None:
    """Return the difference of two words or numbers, or None if they agree."""
    if recorded == got:
        return None
    old, new = _float(recorded), _float(got)
    if old is None or new is None:
        return f"recorded {recorded}, got {got}, compared exactly"
    allowed = tolerance.atol + tolerance.rtol * abs(old)
    distance = abs(new - old)
    # subtle: 0.3 - 0.2 exceeds 0.1 in binary; a margin of one part in 10⁹ makes decimal limits exact.
    if math.isfinite(old) and distance <= allowed * (1 + 1e-9):
        return None
    return f"recorded {recorded}, got {got}, apart by {distance:.6g}, tolerance {allowed:.6g}"


def _float(word: str) -> float | None:
    """Return the value of a floating-point literal, or None for an integer or a word."""
    if INTEGER.fullmatch(word) or not NUMBER.fullmatch(word):
        return None
    return float(word)
