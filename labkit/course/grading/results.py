"""What grading finds out: the marks of one student in one lab, and how they are stored as JSON.

A result is written as soon as its lab is graded, and whole, so an interrupted run continues where it
stopped. It is read back in one place, which checks every field.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from labkit.course.grading.sandbox.box import Backend
from labkit.course.notebook.lab_id import LabId
from labkit.course.submission.cells import Attachments
from labkit.files import write_atomically

__all__ = [
    "GradedLab",
    "LatePenalty",
    "Mark",
    "Status",
    "in_stored_order",
    "read_results",
    "student_file_name",
    "write_result",
]

Status = Literal[
    "right",
    "wrong",
    "not started",
    "missing",
    "error",
    "timeout",
    "limit",
    "to mark",
    "marked",
    "not graded",
]
NEEDS_ATTENTION: tuple[Status, ...] = ("error", "limit", "not graded", "timeout")


@dataclass(frozen=True)
class Mark:
    """The points of one question; ``reason`` is empty, or says why points were lost."""

    question: str
    earned: float
    max: float
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class LatePenalty:
    """Points taken off a whole lab, 0 or more, and the reason."""

    points: float
    reason: str


@dataclass(frozen=True)
class GradedLab:
    """The marks of one student in one lab.

    Attributes:
        key: a hash of everything that the marks depend on (:attr:`labkit.course.grading.job.Job.key`).
        warnings: what was unusual about the submitted file, one sentence each.
        sources: the student's cells by the lab's cell ids.
        attachments: the pictures in the student's written answers, by cell id.
        sandbox: where the code ran; None if nothing was run.
        failure: why the grader itself failed, or None. A lab that failed is graded again next time.
        late: set when results are read, never stored.
    """

    student: str
    lab: LabId
    key: str
    marks: tuple[Mark, ...]
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, Attachments] = field(default_factory=dict)
    sandbox: Backend | None = None
    seconds: float = 0.0
    failure: str | None = None
    late: LatePenalty | None = None

    @property
    def earned(self) -> float:
        """The points of all questions, less the late penalty."""
        taken = self.late.points if self.late else 0.0
        return float(round(sum(mark.earned for mark in self.marks) - taken, 2))

    @property
    def max(self) -> float:
        """The points that a perfect submission earns."""
        return sum(mark.max for mark in self.marks)

    @property
    def to_mark(self) -> int:
        """The number of written answers that still wait for a person."""
        return sum(mark.status == "to mark" for mark in self.marks)

    @property
    def attention(self) -> list[str]:
        """What an instructor should look at: unusual statuses, then the warnings."""
        statuses = {mark.status for mark in self.marks}
        return [*(status for status in NEEDS_ATTENTION if status in statuses), *self.warnings]


def write_result(out: Path, result: GradedLab) -> None:
    """Store a result under ``out``; the file is replaced whole or not at all."""
    stored = asdict(result)
    del stored["late"]
    write_atomically(_path(out, result.student, result.lab), json.dumps(stored, indent=1).encode())


def read_results(out: Path) -> list[GradedLab]:
    """Every undamaged result stored under ``out``, sorted by lab and file name."""
    paths = sorted((out / "results").glob("*/*.json"))
    return [result for path in paths if (result := _read(path)) is not None]


def in_stored_order(results: Iterable[GradedLab]) -> list[GradedLab]:
    """The results in the order of :func:`read_results`."""
    return sorted(results, key=lambda result: _path(Path(), result.student, result.lab))


def student_file_name(student: str) -> str:
    """A safe file name for a student; its hash keeps names apart that look alike.

    >>> student_file_name("Ann/é")
    'Ann__-d7cb1e2e'
    """
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", student)[:60]
    return f"{safe}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"


def _path(out: Path, student: str, lab: str) -> Path:
    return out / "results" / lab / f"{student_file_name(student)}.json"


def _read(path: Path) -> GradedLab | None:
    """The result in a file; None if the file is absent or is not a result."""
    try:
        stored = json.loads(path.read_bytes())
        return GradedLab(
            student=_text(stored["student"]),
            lab=LabId(_text(stored["lab"])),
            key=_text(stored["key"]),
            marks=tuple(_mark(mark) for mark in stored["marks"]),
            warnings=tuple(_text(warning) for warning in stored["warnings"]),
            sources={_text(cell): _text(source) for cell, source in stored["sources"].items()},
            attachments={
                _text(cell): _attachments(bundle) for cell, bundle in stored["attachments"].items()
            },
            sandbox=_one_of(stored["sandbox"], (None, *get_args(Backend))),
            seconds=_number(stored["seconds"]),
            failure=None if stored["failure"] is None else _text(stored["failure"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _mark(stored: Mapping[str, Any]) -> Mark:
    return Mark(
        question=_text(stored["question"]),
        earned=_number(stored["earned"]),
        max=_number(stored["max"]),
        status=_one_of(stored["status"], get_args(Status)),
        reason=_text(stored["reason"]),
    )


def _attachments(stored: Mapping[str, Any]) -> Attachments:
    return {
        _text(name): {_text(kind): _text(picture) for kind, picture in pictures.items()}
        for name, pictures in stored.items()
    }


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, got {type(value).__name__}.")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"expected a number, got {type(value).__name__}.")
    return value


def _one_of(value: Any, allowed: tuple[Any, ...]) -> Any:
    if value not in allowed:
        raise ValueError(f"expected one of {allowed}, got {value!r}.")
    return value
