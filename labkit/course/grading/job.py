"""A grading job: one student's file for one lab, as data that any process or machine can grade.

Grading a job never raises: whatever fails becomes part of its result.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

import nbformat

import labkit
from labkit.course.grading.execution import SandboxConfig, run_exercises
from labkit.course.grading.results import GradedLab
from labkit.course.grading.sandbox.box import Backend, choose_backend
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.scoring import ExerciseOutcome, coding_exercises, mark_lab
from labkit.course.notebook.lab_id import LabId
from labkit.course.submission.answers import Answers, collect_answers
from labkit.course.submission.limited import read_within_limits
from labkit.course.submission.read import Submission

__all__ = [
    "Job",
    "Submissions",
    "failed_result",
    "find_submissions",
    "fingerprint",
    "grade_job",
    "jobs_for_student",
]


# What learning-management systems and operating systems put beside submissions.
STRAY = re.compile(
    r"(readme.*|index\.html?|desktop\.ini|thumbs\.db|.*\.(ya?ml|csv|tsv|xlsx?|css|js|log|ini|db|md))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Job:
    """One student's file for one lab.

    Attributes:
        content: the submitted notebook; None if there is none, and then ``missing`` says why.
        source: the lab with solutions, as recorded.
        warnings: what was unusual about the submission as a whole.
        sandbox: ``auto``, ``bwrap`` or ``none``.
        concealed: folders that the student's code must not see.
        grader: the :func:`fingerprint` of the labkit that made the job.
    """

    student: str
    lab: LabId
    content: bytes | None
    source: bytes
    warnings: tuple[str, ...] = ()
    missing: str = ""
    sandbox: str = "auto"
    limits: Limits = field(default_factory=Limits)
    concealed: tuple[str, ...] = ()
    grader: str = ""

    @property
    def key(self) -> str:
        """A hash of everything that the result depends on."""
        digest = hashlib.sha256()
        facts = [self.warnings, self.missing, self.sandbox, asdict(self.limits), self.grader]
        for part in (self.content or b"", self.source, json.dumps(facts).encode()):
            digest.update(hashlib.sha256(part).digest())
        return digest.hexdigest()


class Submissions(NamedTuple):
    """What a folder of submissions holds: one path per student, and the names of files that are ignored."""

    paths: dict[str, Path]
    ignored: list[str]


def find_submissions(folder: Path) -> Submissions:
    """Find the submissions in a folder: one folder, zip or notebook per student.

    A student is named after the folder, or after the file without its suffix; where two names would
    be equal, the suffix stays. Files that a learning-management system or an operating system adds
    (``index.html``, ``desktop.ini``, ``README.md`` and their like) are not students.

    Raises:
        ValueError: if ``folder`` is not a folder, or holds no submission.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder; pass a folder with one folder or zip file per student."
        )
    entries = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__MACOSX")))
    ignored = [path.name for path in entries if not path.is_dir() and STRAY.fullmatch(path.name)]
    entries = [path for path in entries if path.name not in ignored]
    if not entries:
        raise ValueError(f"{folder} holds no submission; put one folder or zip file per student into it.")
    stems = [path.name if path.is_dir() else _without_suffix(path.name) for path in entries]
    names = [
        stem if stems.count(stem) == 1 else path.name for stem, path in zip(stems, entries, strict=True)
    ]
    paths: dict[str, Path] = {}
    for name, path in zip(map(_printable, names), entries, strict=True):
        copies = sum(re.sub(r" \(\d+\)$", "", taken) == name for taken in paths)
        paths[f"{name} ({copies + 1})" if name in paths else name] = path
    return Submissions(paths, ignored)


def _without_suffix(name: str) -> str:
    """A file's name without ``.zip``, ``.ipynb`` or ``.ipynb.txt``."""
    return re.sub(r"(?i)\.ipynb(\.\w+)?$|\.\w+$", "", name) or name


def jobs_for_student(
    student: str,
    path: Path,
    labs: Sequence[Path],
    *,
    sandbox: str,
    limits: Limits,
    concealed: Sequence[Path],
) -> Iterator[Job]:
    """Yield one job per lab for a student, whatever the submission ``path`` holds."""
    try:
        names = [LabId(lab.stem) for lab in labs]
        submission = read_within_limits(path, names)
        problem = "nothing was submitted for this lab"
    except Exception as error:  # also a process that cannot be started: it costs this student only
        submission, problem = Submission(student), f"the submission cannot be read: {error}"
    for lab in labs:
        content = submission.notebooks.get(lab.name)
        yield Job(
            student=student,
            lab=LabId(lab.stem),
            content=content,
            source=lab.read_bytes(),
            warnings=tuple(submission.warnings),
            missing="" if content is not None else problem,
            sandbox=sandbox,
            limits=limits,
            concealed=tuple(str(folder.resolve()) for folder in (lab.parent, *concealed)),
            grader=fingerprint(),
        )


def grade_job(job: Job) -> GradedLab:
    """Grade one job. If the grader itself fails, the result says so and carries no points for code."""
    start = time.perf_counter()
    source = nbformat.reads(job.source.decode(), as_version=4)
    answers, failure = Answers(), None
    backend: Backend | None = None
    outcomes: dict[str, ExerciseOutcome] = {}
    try:
        if job.grader != fingerprint():
            raise RuntimeError("labkit is another version here than where the grading was started")
        if job.content is not None:
            answers = collect_answers(job.content, source)
            backend = choose_backend(job.sandbox)
            sandbox = SandboxConfig(backend, job.limits, tuple(map(Path, job.concealed)))
            outcomes = run_exercises(source, answers.sources, sandbox)
    except Exception as error:
        failure = f"the grader failed: {type(error).__name__}: {error}"
        outcomes = dict.fromkeys(coding_exercises(source), ExerciseOutcome("not graded", failure))
    return GradedLab(
        student=job.student,
        lab=job.lab,
        key=job.key,
        marks=mark_lab(source, outcomes, answers.sources, job.missing or "its cell was not found"),
        warnings=(*job.warnings, *answers.warnings),
        sources=answers.sources,
        attachments=answers.attachments,
        sandbox=backend,
        seconds=round(time.perf_counter() - start, 2),
        failure=failure,
    )


def failed_result(job: Job, error: BaseException) -> GradedLab:
    """The result of a job whose process ended before it could answer."""
    source = nbformat.reads(job.source.decode(), as_version=4)
    failure = f"the grading process ended: {type(error).__name__}: {str(error)[:200]}"
    marks = tuple(replace(mark, status="not graded", reason=failure) for mark in mark_lab(source, {}, {}))
    return GradedLab(job.student, job.lab, job.key, marks, job.warnings, failure=failure)


@cache
def fingerprint() -> str:
    """A hash of labkit's code, since the code decides the marks."""
    digest = hashlib.sha256(labkit.__version__.encode())
    for path in sorted(Path(labkit.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _printable(name: str) -> str:
    """A student's name as it can be stored and shown."""
    # subtle: an accent may be a letter of its own (macOS) or a part of one; both print alike.
    text = unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)
