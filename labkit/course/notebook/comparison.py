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

DIGITS = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d*)?|\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?"
# A number that stands by itself, perhaps with a unit of letters behind it (12.5ms, 2.5j), or the imaginary
# part of a complex number. Not a number: the 1 of conv1, the 2.0 of layer2.0, a part of version 1.2.3.
NUMBER = re.compile(
    rf"((?:(?<![\w.])[-+]?|(?<=[\d.])[-+](?={DIGITS}j)){DIGITS})(?!\.\d)(?=[a-zA-Zµ]+(?!\w)|(?!\w))"
)
INTEGER = re.compile(r"[-+]?\d+")
COLOUR = re.compile(r"(\x1b\[[0-9;]*m)")


class Tolerance(NamedTuple):
    """The largest allowed distance of a number from the recorded one, ``atol + rtol · |recorded|``."""

    rtol: float = 1e-6
    atol: float = 1e-6

    @classmethod
    def of(cls, rtol: float | None, atol: float | None) -> Tolerance:
        """Return the tolerance of a cell; None stands for the default."""
        return cls(DEFAULT.rtol if rtol is None else rtol, DEFAULT.atol if atol is None else atol)


DEFAULT = Tolerance()
EXACT = Tolerance(0.0, 0.0)


def differences(recorded: str, got: str, tolerance: Tolerance = DEFAULT) -> list[str]:
    """Return the differences of two texts, one sentence per place; an empty list if there are none.

    Two numbers are compared within the tolerance, unless both are integers: then their values must be
    equal, as must words and the number of lines. Equal numbers may be written differently: ``-0`` and
    ``0``, ``10`` and ``10.0``, ``1,000`` and ``1000``.

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
        abs(new - old) / (tolerance.atol + tolerance.rtol * abs(old))
        for old, new in ((_value(old), _value(new)) for old, new in pairs)
        if new != old
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
    spaced = COLOUR.sub(r" \1 ", line)
    return [word for part in NUMBER.split(spaced) for word in part.split()]


def _token_difference(recorded: str, got: str, tolerance: Tolerance) -> str | None:
    """Return the difference of two words or numbers, or None if they agree."""
    if recorded == got:
        return None
    if not (NUMBER.fullmatch(recorded) and NUMBER.fullmatch(got)):
        return f"recorded {recorded}, got {got}, compared exactly"
    if _is_integer(recorded) and _is_integer(got):
        same = _canonical(recorded) == _canonical(got)
        return None if same else f"recorded {recorded}, got {got}, compared exactly"
    old, new = _value(recorded), _value(got)
    allowed = tolerance.atol + tolerance.rtol * abs(old)
    distance = abs(new - old)
    # subtle: 0.3 - 0.2 exceeds 0.1 in binary; a margin of one part in 10⁹ makes decimal limits exact.
    if old == new or (math.isfinite(old) and distance <= allowed * (1 + 1e-9)):
        return None
    return f"recorded {recorded}, got {got}, apart by {distance:.6g}, tolerance {allowed:.6g}"


def _is_integer(number: str) -> bool:
    return INTEGER.fullmatch(number.replace(",", "")) is not None


def _canonical(integer: str) -> str:
    """Return an integer of any length without separators, leading zeros and a sign of zero."""
    digits = integer.replace(",", "").lstrip("+-0") or "0"
    return f"-{digits}" if integer.startswith("-") and digits != "0" else digits


def _value(number: str) -> float:
    return float(number.replace(",", ""))
