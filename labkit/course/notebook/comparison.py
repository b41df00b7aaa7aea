"""Compare a recorded text with a new one: floating-point numbers within tolerance, the rest exactly.

Width does not matter: aligned columns move when a number needs one digit more, so any amount of
blanks between two words or numbers counts as one, or as none beside a number. Line breaks do
matter. Leaves out: which outputs are compared (:mod:`labkit.course.nbval_plugin.items`).
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

__all__ = ["DEFAULT", "EXACT", "Tolerance", "differences", "share_used"]

# A number of its own: not the 1 of conv1, the 2.0 of layer2.0 or a part of version 1.2.3.
NUMBER = re.compile(r"(?<![\w.])([-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?)(?!\w|\.\d)")
INTEGER = re.compile(r"[-+]?\d+")


class Tolerance(NamedTuple):
    """How far a number may be from the recorded one: ``atol + rtol · |recorded|``."""

    rtol: float = 1e-6
    atol: float = 1e-6


DEFAULT = Tolerance()
EXACT = Tolerance(0.0, 0.0)


def differences(recorded: str, got: str, tolerance: Tolerance = DEFAULT) -> list[str]:
    """What differs between two texts, a sentence a place; empty if nothing does.

    Two literals with a decimal point or an exponent are compared as numbers; an integer, a word
    and the number of lines must be the same.

    >>> differences("top-1  91.40 %", "top-1 100.00 %", Tolerance(atol=0.5))
    ['line 1: recorded 91.40, got 100.00, apart by 8.6, tolerance 0.500091']
    >>> differences("layer  zeros\\nconv1  9.99\\n", "layer  zeros\\nconv1  10.00\\n", Tolerance(atol=0.5))
    []
    >>> differences("12 cases", "13 cases")
    ['line 1: recorded 12, got 13, compared exactly']
    """
    old_lines, new_lines = recorded.rstrip().splitlines(), got.rstrip().splitlines()
    found = []
    for number, (old, new) in enumerate(zip(old_lines, new_lines, strict=False), 1):
        found += [f"line {number}: {what}" for what in _line_differences(old, new, tolerance)]
    if len(old_lines) != len(new_lines):
        found.append(f"recorded {len(old_lines)} lines, got {len(new_lines)}")
    return found


def share_used(recorded: str, got: str, tolerance: Tolerance = DEFAULT) -> float:
    """The largest distance of two numbers as a share of what is allowed; infinite if texts differ.

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
    """What differs in one line."""
    old, new = _tokens(recorded), _tokens(got)
    if len(old) != len(new):
        return [f"recorded {recorded.strip()!r}, got {got.strip()!r}"]
    pairs = zip(old, new, strict=True)
    return [what for what in (_token_difference(*pair, tolerance) for pair in pairs) if what]


def _tokens(line: str) -> list[str]:
    """The numbers of a line, and the words between them.

    >>> _tokens("x = [ 0.5 -1.]  # layer1.0")
    ['x', '=', '[', '0.5', '-1.', ']', '#', 'layer1.0']
    """
    # subtle: the pattern has one group, so numbers stand at the odd places and are not split again.
    return [word for part in NUMBER.split(line) for word in part.split()]


def _token_difference(recorded: str, got: str, tolerance: Tolerance) -> str | None:
    """What differs between two words or numbers; None if they agree."""
    if recorded == got:
        return None
    old, new = _float(recorded), _float(got)
    if old is None or new is None:
        return f"recorded {recorded}, got {got}, compared exactly"
    allowed = tolerance.atol + tolerance.rtol * abs(old)
    apart = abs(new - old)
    # subtle: 0.3 - 0.2 exceeds 0.1 in binary; a part in 10⁹ more lets decimal limits hold.
    if math.isfinite(old) and apart <= allowed * (1 + 1e-9):
        return None
    return f"recorded {recorded}, got {got}, apart by {apart:.6g}, tolerance {allowed:.6g}"


def _float(word: str) -> float | None:
    """The value of a floating-point literal; None for an integer or a word."""
    if INTEGER.fullmatch(word) or not NUMBER.fullmatch(word):
        return None
    return float(word)
