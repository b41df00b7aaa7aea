"""A grading job: one student's file for one lab, as data; its result is data too.

So that a job can run anywhere labkit is installed, and never ends the grading. Leaves out: where
jobs run and how results are kept (:mod:`labkit.course.grading.class_run`).
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

import labkit
from labkit.course.grading.execution import SandboxConfig, attempt
from labkit.course.grading.sandbox.box import Limits, choose
from labkit.course.grading.scoring import Mark, Outcome, coded, marks
from labkit.course.submission.answers import Answers, collect
from labkit.course.submission.read import Submission, read_submission

__all__ = ["Job", "Result", "failed", "fingerprint", "grade_job", "jobs_of", "students"]

Result = dict[str, Any]  # student, lab, key, marks, oddities, sources, attachments, sandbox, seconds


@dataclass(frozen=True)
class Job:
    """One student's file for one lab; ``content`` is None, and ``missing`` says why, if there is none."""

    student: str
    lab: str
    content: bytes | None
    reference: bytes
    oddities: tuple[str, ...] = ()
    missing: str = ""
    sandbox: str = "auto"
    limits: Limits = field(default_factory=Limits)
    hidden: tuple[str, ...] = ()
    grader: str = ""

    @property
    def key(self) -> str:
        """What the result depends on, as a hash."""
        digest = hashlib.sha256()
        facts = [self.oddities, self.missing, self.sandbox, asdict(self.limits), self.grader]
        for part in (self.content or b"", self.reference, json.dumps(facts).encode()):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()


def students(submissions: Path) -> dict[str, Path]:
    """What was handed in, by student: the folders and files of ``submissions``, by name.

    A student is called as the folder, or as the file without its ending; if two would be called the
    same, the ending stays. Names that begin with a dot are passed over.

    Raises:
        ValueError: if ``submissions`` is no folder, or holds nothing.
    """
    if not submissions.is_dir():
        raise ValueError(f"{submissions} is no folder; give one that holds a folder or zip a student.")
    entries = sorted(path for path in submissions.iterdir() if not path.name.startswith("."))
    if not entries:
        raise ValueError(f"{submissions} is empty; put a folder or a zip a student into it.")
    stems = [path.name if path.is_dir() else path.stem for path in entries]
    called = [
        stem if stems.count(stem) == 1 else path.name for stem, path in zip(stems, entries, strict=True)
    ]
    return {_printable(name): path for name, path in zip(called, entries, strict=True)}


def jobs_of(
    name: str, path: Path, labs: Sequence[Path], *, sandbox: str, limits: Limits, hidden: Sequence[Path]
) -> Iterator[Job]:
    """A job a lab for the student ``name``, whatever the submission ``path`` holds."""
    try:
        submission, problem = read_submission(path), "nothing was handed in for this lab"
    except (ValueError, OSError) as error:
        submission, problem = Submission(name), f"the submission cannot be read: {error}"
    for lab in labs:
        content = submission.notebooks.get(lab.name)
        yield Job(
            name,
            lab.stem,
            content,
            lab.read_bytes(),
            tuple(submission.oddities),
            "" if content is not None else problem,
            sandbox,
            limits,
            tuple(str(each.resolve()) for each in (lab.parent, *hidden)),
            fingerprint(),
        )


def grade_job(job: Job) -> Result:
    """The result of one job. It never fails: if the grader does, the result says so, without a key."""
    start = time.perf_counter()
    reference = nbformat.reads(job.reference.decode(), as_version=4)
    answers, key, missing, kind = Answers(), job.key, job.missing, ""
    outcomes: dict[str, Outcome] = {}
    try:
        if job.grader != fingerprint():
            raise RuntimeError("labkit is another version here than where the grading was started")
        if job.content is not None:
            answers = collect(job.content, reference)
            kind = choose(job.sandbox)
            box = SandboxConfig(kind, job.limits, tuple(map(Path, job.hidden)))
            outcomes = attempt(reference, answers.sources, box)
    except Exception as error:
        key, reason = "", f"the grader failed: {type(error).__name__}: {error}"
        outcomes = dict.fromkeys(coded(reference), Outcome("not graded", reason))
    given = marks(reference, outcomes, answers.sources, missing or "its cell was not found")
    return {
        "student": job.student,
        "lab": job.lab,
        "key": key,
        "marks": [mark.as_dict() for mark in given],
        "oddities": [*job.oddities, *answers.oddities],
        "sources": answers.sources,
        "attachments": answers.attachments,
        "sandbox": kind,
        "seconds": round(time.perf_counter() - start, 2),
    }


@cache
def fingerprint() -> str:
    """A hash of labkit's code, since it decides the marks."""
    digest = hashlib.sha256(labkit.__version__.encode())
    for path in sorted(Path(labkit.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def failed(job: Job, error: BaseException) -> Result:
    """The result of a job that could not be run anywhere."""
    reference = nbformat.reads(job.reference.decode(), as_version=4)
    reason = f"the grading process ended: {type(error).__name__}: {str(error)[:200]}"
    given = [Mark(mark.question, 0, mark.max, "not graded", reason) for mark in marks(reference, {}, {})]
    empty = {"sources": {}, "attachments": {}, "sandbox": "", "seconds": 0.0}
    about = {"student": job.student, "lab": job.lab, "key": "", "oddities": list(job.oddities)}
    return {**about, **empty, "marks": [mark.as_dict() for mark in given]}


def _printable(name: str) -> str:
    """A student's name as it can be stored and shown."""
    text = os.fsencode(name).decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
