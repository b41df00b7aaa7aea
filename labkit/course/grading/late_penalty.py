"""The penalty for a late submission: rules, submission times, and the points taken off a lab."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from labkit.course.grading.results import GradedLab, LatePenalty
from labkit.course.submission.files import (
    SubmittedFile,
    file_of_disk,
    folder_files,
    is_archive,
    is_notebook,
)

__all__ = ["UNKNOWN_TIME", "LateRule", "apply_late_rules", "parse_late_rule", "submitted_at"]

RULE = re.compile(
    r"(?:(?P<lab>\d\d)=)?(?P<deadline>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?)"
    r"\s+(?P<per_day>\d+(?:\.\d+)?)/day(?:\s+max\s+(?P<most>\d+(?:\.\d+)?))?"
)
EXAMPLE = "02=2026-12-01T23:59 10/day max 50"
NO_TIME_YEAR = 1980  # the first year of the zip format; a file without a time gets it
UNKNOWN_TIME = "the submission time is unknown, because its files carry no time; no penalty was applied"


@dataclass(frozen=True)
class LateRule:
    """Points taken off a lab for each day begun after its deadline.

    Attributes:
        lab: a lab's number; None stands for every lab.
        deadline: in the local time of the machine that grades; its whole minute still counts.
        percent_per_day: of the points earned, for each day begun after the deadline.
        max_percent: the most that is taken off.
        grace_minutes: how late a submission may be without any penalty. Days still count from the
            deadline.
    """

    lab: str | None
    deadline: datetime
    percent_per_day: float
    max_percent: float = 100.0
    grace_minutes: float = 0.0


def parse_late_rule(text: str) -> LateRule:
    """Read a rule of the form ``[LAB=]DEADLINE PERCENT/day [max PERCENT]``.

    >>> parse_late_rule("02=2026-12-01T23:59 10/day max 50").percent_per_day
    10.0

    Raises:
        ValueError: if the text is not such a rule.
    """
    match = RULE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"late rule {text!r} is not like {EXAMPLE!r} (the lab and max may be left out).")
    try:
        deadline = datetime.fromisoformat(match["deadline"])
    except ValueError as error:
        raise ValueError(f"late rule {text!r}: {error}; write it like {EXAMPLE!r}.") from error
    return LateRule(match["lab"], deadline, float(match["per_day"]), float(match["most"] or 100))


def submitted_at(path: Path) -> datetime | None:
    """The local time at which ``path`` was submitted: of the file, or of a folder's newest notebook or zip.

    For a zip the time of the zip itself counts, not that of the files in it. Times up to 1980 belong
    to files that carry no time, such as those that :mod:`labkit.files` packs.

    Returns:
        None if no file carries a time.
    """
    if path.is_dir() and not path.is_symlink():
        try:
            files = [file for file in folder_files(path) if is_notebook(file.name) or is_archive(file.name)]
        except ValueError:  # too many files to read the submission at all
            return None
    else:
        files = [file_of_disk(path.parent, path.name)]
    return max((time for time in map(_modified, files) if time is not None), default=None)


def _modified(file: SubmittedFile) -> datetime | None:
    """When a file was changed; None if it carries no time or one that no clock shows."""
    try:
        time = datetime.fromtimestamp(file.modified)
    except (OSError, OverflowError, ValueError):
        return None
    return time if time.year > NO_TIME_YEAR else None


def apply_late_rules(
    results: Sequence[GradedLab], rules: Sequence[LateRule], times: Mapping[str, datetime | None]
) -> list[GradedLab]:
    """Take points off the labs that were submitted late.

    A lab's own rule replaces the rule for every lab, and a penalty that was set by hand replaces
    both. Where the time is unknown, the result gets a warning and keeps its points.

    Args:
        results: with the marks given by hand.
        rules: at most one for each lab, and one for all of them.
        times: the submission time by student; None or absent: unknown.
    """
    return [_with_penalty(result, rules, times.get(result.student)) for result in results]


def _with_penalty(result: GradedLab, rules: Sequence[LateRule], when: datetime | None) -> GradedLab:
    """One result after the rule that applies to it."""
    applicable = [rule for rule in rules if rule.lab is None or result.lab.is_named(rule.lab)]
    if not applicable or not result.earned or result.late is not None:
        return result
    if when is None:
        return replace(result, warnings=(*result.warnings, UNKNOWN_TIME))
    rule = next((rule for rule in applicable if rule.lab is not None), applicable[0])
    late_s = (when - _end_of(rule.deadline)).total_seconds()
    if late_s < 60 * rule.grace_minutes:
        return result
    days = int(late_s // 86400) + 1
    percent = min(days * rule.percent_per_day, rule.max_percent, 100.0)
    points = round(result.earned * percent / 100, 2)
    if points <= 0:
        return result
    time = f"{when:%Y-%m-%d %H:%M} {when.astimezone().tzname()}"
    reason = (
        f"submitted {time}, {days} day{'s' * (days != 1)} late: {percent:g} % of {result.earned:g} points"
    )
    return replace(result, late=LatePenalty(points, reason))


def _end_of(deadline: datetime) -> datetime:
    """The first moment after the deadline: 23:59 lasts the whole minute, 23:59:30 the whole second."""
    return deadline + (timedelta(seconds=1) if deadline.second else timedelta(minutes=1))
