"""Grade a class: one job a student and lab, in processes or on a Dask cluster, resumed where it stopped.

A job is data and its result is data, so that it can run anywhere labkit is installed. A result is
written, at once and whole, when its job ends; it is found again by what it depends on: the file
handed in, the lab, labkit and the limits. Leaves out: what is made of the results
(:mod:`labkit.course.grading.gradebook`, :mod:`labkit.course.grading.feedback`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

from labkit.course.grading.job import Job, Result, failed, grade_job, jobs_of, students
from labkit.course.grading.sandbox.box import KINDS, Limits, choose
from labkit.course.grading.scoring import coded
from labkit.course.notebook import structure
from labkit.files import write_atomically

__all__ = ["Options", "grade"]

RETRIES = 3  # of a job whose Dask worker died


@dataclass(frozen=True)
class Options:
    """How a class is graded; ``students`` limits it to some, by name."""

    out: Path
    jobs: int = 1
    scheduler: str | None = None
    sandbox: str = "auto"
    students: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)


def grade(submissions: Path, labs: Sequence[Path], options: Options) -> list[Result]:
    """Grade every submission in every lab of ``labs``; what was graded before is not graded again.

    Args:
        submissions: a folder that holds a folder, a zip or a notebook a student.
        labs: the labs with solutions, as recorded.
        options: where results go, and how jobs run.

    Returns:
        The results of all students and labs there are in ``options.out``, sorted.

    Raises:
        ValueError: if a path, a student or the sandbox asked for is not there, a lab is not well
            formed or not recorded, or a lab's own setup does not run in the sandbox.
        OSError: if the results cannot be written.
    """
    known = students(submissions)
    _require(submissions, labs, options, known)
    chosen = {
        name: path for name, path in known.items() if not options.students or name in options.students
    }
    hidden = (submissions, options.out)
    # subtle: decided once, so that no process falls back to an open box; a cluster's machines decide.
    sandbox = options.sandbox if options.scheduler else choose(options.sandbox)
    jobs = [
        job
        for name, path in chosen.items()
        for job in jobs_of(name, path, labs, sandbox=sandbox, limits=options.limits, hidden=hidden)
    ]
    waiting = [job for job in jobs if (_stored(options.out, job) or {}).get("key") != job.key]
    with tqdm(total=len(waiting), unit="lab", disable=None) as bar:

        def done(result: Result) -> None:
            _store(options.out, result)
            bar.update()

        _run(waiting, options, done)
    found = [_load(path) for path in sorted((options.out / "results").glob("*/*.json"))]
    return [result for result in found if result and result["student"] in known]


def _require(submissions: Path, labs: Sequence[Path], options: Options, known: dict[str, Path]) -> None:
    """Raise ValueError unless the grading can begin."""
    out, given = options.out.resolve(), submissions.resolve()
    if out == given or out.is_relative_to(given) or given.is_relative_to(out):
        raise ValueError(f"{options.out} and {submissions} lie in one another; choose another --out.")
    unknown = [name for name in options.students if name not in known]
    if unknown:
        raise ValueError(f"no submission of {', '.join(unknown)}; there are {', '.join(list(known)[:20])}.")
    if options.jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {options.jobs}.")
    if not options.scheduler or options.sandbox not in KINDS:
        choose(options.sandbox)
    for lab in labs:
        for name, exercise in coded(structure.read_lab(lab)).items():
            if not exercise.hidden.outputs or not exercise.check.outputs:
                raise ValueError(f"{lab.name}: exercise {name} is not recorded; run `labkit record`.")


def _run(jobs: Sequence[Job], options: Options, done: Callable[[Result], None]) -> None:
    """Run the jobs where the options say; each result is passed to ``done``."""
    if not jobs:
        return
    if options.jobs == 1 and options.scheduler is None:
        for job in jobs:
            done(grade_job(job))
        return
    with _executor(options) as executor:
        lost = _spread(executor, jobs, done, 64 if options.scheduler else 2 * options.jobs)
    for job, error in lost:  # its process was killed, perhaps by another job's doing: once more, alone
        try:
            with _executor(options) as executor:
                done(executor.submit(grade_job, job).result())
        except Exception as again:
            done(failed(job, again or error))


@contextmanager
def _executor(options: Options) -> Iterator[Executor]:
    """Processes of this machine, or the workers of a Dask cluster."""
    if options.scheduler is None:
        with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return
    try:
        distributed = import_module("distributed")  # optional, and has no types
    except ImportError as error:
        raise ValueError("--scheduler needs Dask: pip install 'labkit[dask]'.") from error
    with distributed.Client(options.scheduler, timeout=30) as client:
        yield client.get_executor(pure=False, retries=RETRIES)


def _spread(
    executor: Executor, jobs: Sequence[Job], done: Callable[[Result], None], width: int
) -> list[tuple[Job, BaseException]]:
    """Run jobs, ``width`` in flight; those whose process was lost, and why."""
    ahead, running, lost = iter(jobs), dict[Future[Result], Job](), list[tuple[Job, BaseException]]()
    while True:
        for job in ahead:
            try:
                running[executor.submit(grade_job, job)] = job
            except RuntimeError as error:  # the pool is broken
                lost.append((job, error))
            if len(running) >= width:
                break
        if not running:
            return lost
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            problem = future.exception()
            if problem is None:
                done(future.result())
            else:
                lost.append((job, problem))


def _place(out: Path, student: str, lab: str) -> Path:
    """The file of a result; the hash keeps names apart that look alike as file names."""
    safe = re.sub(r"[^A-Za-z0-9_-]+", "_", student)[:60]
    return out / "results" / lab / f"{safe}-{hashlib.sha256(student.encode()).hexdigest()[:8]}.json"


def _stored(out: Path, job: Job) -> Result | None:
    return _load(_place(out, job.student, job.lab))


def _store(out: Path, result: Result) -> None:
    content = json.dumps(result, indent=1).encode()
    write_atomically(_place(out, result["student"], result["lab"]), content)


def _load(path: Path) -> Result | None:
    """A stored result; None if there is none or it is damaged."""
    try:
        result = json.loads(path.read_bytes())
        return result if {"student", "lab", "key", "marks"} <= set(result) else None
    except (OSError, ValueError, TypeError):
        return None
