"""What lateness takes off: rules, when something was handed in, the line ``late`` of the grades.

Leaves out: lateness set by hand (:mod:`labkit.course.grading.gradebook`).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from labkit.course.grading.gradebook import total
from labkit.course.grading.job import Result
from labkit.course.submission.read import IGNORED_FOLDERS

__all__ = ["UNKNOWN", "LateRule", "submitted_at", "late_rule", "with_lateness"]

LATE = re.compile(
    r"(?:(?P<lab>\d\d)=)?(?P<deadline>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
    r"\s+(?P<per_day>\d+(?:\.\d+)?)/day(?:\s+max\s+(?P<most>\d+(?:\.\d+)?))?"
)
NO_TIME_YEAR = 1980  # a zip's first: what a file in it gets that has no time
UNKNOWN = "when it was handed in is unknown: its files carry no time; lateness is not counted"


class LateRule(NamedTuple):
    """Per cent of the points taken off for each day begun after the deadline; ``lab`` "" is all labs."""

    lab: str
    deadline: datetime
    percent_per_day: float
    most_percent: float


def late_rule(text: str) -> LateRule:
    """A rule from its text, ``[LAB=]DEADLINE PERCENT/day [max PERCENT]``, in local time.

    >>> late_rule("02=2026-12-01T23:59 10/day max 50").percent_per_day
    10.0

    Raises:
        ValueError: if the text is no such rule.
    """
    found = LATE.fullmatch(text.strip())
    example = "02=2026-12-01T23:59 10/day max 50"
    if not found:
        raise ValueError(f"late rule {text!r} is not like {example!r} (the lab and max may be left out).")
    try:
        deadline = datetime.fromisoformat(found["deadline"])
    except ValueError as error:
        raise ValueError(f"late rule {text!r}: {error}; write it like {example!r}.") from error
    return LateRule(found["lab"] or "", deadline, float(found["per_day"]), float(found["most"] or 100))


def submitted_at(path: Path) -> datetime | None:
    """When ``path`` was handed in, in local time: the time of the file, or of a folder's newest notebook.

    A zip's own time counts, not those of the files in it. Years up to 1980 are those of files that
    carry no time, as what :mod:`labkit.files` packs.

    Returns:
        None if no file carries a time.
    """
    files = [path]
    if path.is_dir():
        files = []
        for root, folders, names in os.walk(path):
            folders[:] = [name for name in folders if name not in IGNORED_FOLDERS]
            files += [Path(root) / name for name in names if name.endswith(".ipynb")]
    times = (datetime.fromtimestamp(file.lstat().st_mtime) for file in files)
    return max((time for time in times if time.year > NO_TIME_YEAR), default=None)


def with_lateness(
    results: Sequence[Result], rules: Sequence[LateRule], times: Mapping[str, datetime | None]
) -> list[Result]:
    """The results with a line ``late`` where one of ``rules`` takes points off.

    ``times`` says when each student handed in; where it does not, an oddity says so and nothing is taken.
    A lab's own rule comes before the one for all labs, and a line ``late`` that was set by hand
    before both.
    """
    changed = []
    for result in results:
        own = sorted((rule for rule in rules if rule.lab in ("", result["lab"][:2])), reverse=True)
        if not own or not total(result) or any(mark["question"] == "late" for mark in result["marks"]):
            changed.append(result)
            continue
        when = times.get(result["student"])
        if when is None:
            changed.append({**result, "oddities": [*result["oddities"], UNKNOWN]})
            continue
        line = _line(own[0], (when - own[0].deadline).total_seconds(), total(result))
        changed.append({**result, "marks": [*result["marks"], line]} if line else result)
    return changed


def _line(rule: LateRule, late_s: float, points: float) -> dict[str, Any] | None:
    """The line ``late`` of a lab that came ``late_s`` seconds late; None if nothing is taken off."""
    days = math.ceil(late_s / 86400)
    percent = min(days * rule.percent_per_day, rule.most_percent, 100.0)
    taken = round(points * percent / 100, 2)
    if taken <= 0:
        return None
    reason = f"{days} day{'s' * (days != 1)} late: {percent:g} % of {points:g} points"
    return {"question": "late", "earned": -taken, "max": 0, "status": "late", "reason": reason}
