"""Grade a class: one job per student and lab, in processes or on a Dask cluster, then tables and pages.

Jobs and results are data, so a job can run wherever labkit is installed. Each result is stored as
soon as its job ends, and it is found again by everything it depends on: the submitted file, the lab,
labkit and the limits. So an interrupted run continues where it stopped.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from multiprocessing import get_context, parent_process
from pathlib import Path

from tqdm import tqdm

from labkit.course.grading.answer_sheets import MARKS, write_answer_sheets
from labkit.course.grading.config import GradingConfig
from labkit.course.grading.feedback import FeedbackPages, write_class_page, write_feedback
from labkit.course.grading.gradebook import apply_manual_marks, write_tables
from labkit.course.grading.job import Job, failed_result, find_submissions, grade_job, jobs_for_student
from labkit.course.grading.late_penalty import apply_late_rules, submitted_at
from labkit.course.grading.merged_notebooks import write_notebooks
from labkit.course.grading.results import GradedLab, in_stored_order, read_results, write_result
from labkit.course.grading.sandbox.box import SANDBOXES, choose_backend
from labkit.course.grading.sandbox.limits import Limits
from labkit.course.grading.scoring import coding_exercises
from labkit.course.notebook import structure
from labkit.course.notebook.lab_id import LabId

__all__ = ["ClassReport", "Options", "grade_class", "run_jobs"]

RETRIES = 3  # of a job whose Dask worker died


@dataclass(frozen=True)
class Options:
    """Where results go and how jobs run.

    ``students`` restricts the run to some, by name; ``answers`` asks for the pages of written answers, and
    ``notebooks`` for what was graded as notebooks.
    """

    out: Path
    processes: int = 1
    scheduler: str | None = None
    sandbox: str = "auto"
    students: Sequence[str] = ()
    limits: Limits = field(default_factory=Limits)
    answers: bool = False
    notebooks: bool = False


@dataclass(frozen=True)
class ClassReport:
    """What grading a class produced.

    Attributes:
        results: with manual marks and late penalties.
        tables: the CSV files.
        page: the overview of the class.
        ignored: the names of files among the submissions that are not taken for students.
        incomplete_pages: the number of feedback pages that show only the marks.
        answers: the table of marks for written answers, if it was asked for.
    """

    results: list[GradedLab]
    tables: list[Path]
    page: Path
    ignored: list[str]
    incomplete_pages: int
    answers: Path | None = None

    @property
    def failed(self) -> list[GradedLab]:
        """The results for which the grader itself failed."""
        return [result for result in self.results if result.failure is not None]


def grade_class(
    submissions: Path, labs: Sequence[Path], options: Options, config: GradingConfig | None = None
) -> ClassReport:
    """Grade every submission in every lab, then write the tables and the feedback pages.

    Marks that were filled into ``answers/marks.csv`` of an earlier run are merged, then those of the
    configuration.

    Args:
        submissions: a folder that contains one folder, zip or notebook per student.
        labs: the labs with solutions, as recorded.
        options: where results go, and how jobs run.
        config: late rules, marks given by hand, and the columns of an LMS.

    Raises:
        ValueError: if a path, a student, the sandbox asked for, a mark or a column is wrong, a lab is
            not well formed or not recorded, or a lab's own setup does not run in the sandbox.
        OSError: if something cannot be written.
    """
    config = config or GradingConfig()
    entries = find_submissions(submissions)
    results = _run_class(submissions, entries.paths, labs, options)
    if options.notebooks:
        write_notebooks(options.out, labs, results)
    for marks in (options.out / MARKS, config.marks):  # in this order: the configured file decides
        if marks is not None and (marks == config.marks or marks.is_file()):
            results = apply_manual_marks(results, marks)
    times = {student: submitted_at(path) for student, path in entries.paths.items()}
    results = apply_late_rules(results, config.late_rules, times)
    # Results of an earlier run with other labs are in the same tables, so their pages are written too.
    beside = [path for lab in labs for path in sorted(lab.parent.glob("*.ipynb"))]
    pages = write_feedback(options.out, [*dict.fromkeys(beside), *labs], results)
    results = [_with_page_error(result, pages) for result in results]
    tables = write_tables(options.out, results, config.columns)
    page = write_class_page(options.out, results, pages.paths)
    answers = None
    if options.answers:
        sources = {LabId(lab.stem): structure.read_lab(lab) for lab in labs}
        answers = write_answer_sheets(options.out, sources, results)
    return ClassReport(results, tables, page, entries.ignored, len(pages.errors), answers)


def _with_page_error(result: GradedLab, pages: FeedbackPages) -> GradedLab:
    """The result with a warning if its page could not be rendered in full."""
    error = pages.errors.get((result.student, result.lab))
    if error is None:
        return result
    warning = f"the feedback page shows only the marks, because rendering the answers failed: {error}"
    return replace(result, warnings=(*result.warnings, warning))


def run_jobs(submissions: Path, labs: Sequence[Path], options: Options) -> list[GradedLab]:
    """Grade what was not graded before; the arguments and errors are those of :func:`grade_class`.

    Returns:
        The stored results of every student in ``submissions``, in these labs and in others, sorted.
    """
    return _run_class(submissions, find_submissions(submissions).paths, labs, options)


def _run_class(
    submissions: Path, paths: Mapping[str, Path], labs: Sequence[Path], options: Options
) -> list[GradedLab]:
    """Grade what was not graded before; ``paths`` are the entries of ``submissions`` by student."""
    _require_valid(submissions, labs, options, list(paths))
    # subtle: chosen once, so no process falls back to running without a sandbox. The machines of a
    # cluster choose for themselves.
    sandbox = options.sandbox if options.scheduler else choose_backend(options.sandbox)
    jobs = [
        job
        for student, path in paths.items()
        if not options.students or student in options.students
        for job in jobs_for_student(
            student,
            path,
            labs,
            sandbox=sandbox,
            limits=options.limits,
            concealed=(submissions, options.out),
        )
    ]
    results = {(result.student, result.lab): result for result in read_results(options.out)}
    waiting = [job for job in jobs if not _is_answer(results.get((job.student, job.lab)), job)]
    with tqdm(total=len(waiting), unit="lab", disable=None) as bar:

        def store(result: GradedLab) -> None:
            write_result(options.out, result)
            results[result.student, result.lab] = result
            bar.update()

        _run(waiting, options, store)
    return in_stored_order(result for result in results.values() if result.student in paths)


def _is_answer(result: GradedLab | None, job: Job) -> bool:
    """Whether a stored result answers this very job."""
    return result is not None and result.key == job.key and result.failure is None


def _require_valid(
    submissions: Path, labs: Sequence[Path], options: Options, students: Sequence[str]
) -> None:
    """Raise ValueError unless the grading can begin."""
    out, source = options.out.resolve(), submissions.resolve()
    if out == source or out.is_relative_to(source) or source.is_relative_to(out):
        raise ValueError(f"{options.out} and {submissions}: one contains the other; choose another --out.")
    unknown = [student for student in options.students if student not in students]
    if unknown:
        raise ValueError(f"no submission of {', '.join(unknown)}; there are {', '.join(students[:20])}.")
    if options.processes < 1:
        raise ValueError(f"jobs must be at least 1, got {options.processes}.")
    if not options.scheduler or options.sandbox not in SANDBOXES:
        choose_backend(options.sandbox)
    for lab in labs:
        for name, exercise in coding_exercises(structure.read_lab(lab)).items():
            if not exercise.hidden.outputs or not exercise.check.outputs:
                raise ValueError(f"{lab.name}: exercise {name} is not recorded; run `labkit record`.")


def _run(jobs: Sequence[Job], options: Options, store: Callable[[GradedLab], None]) -> None:
    """Run the jobs where the options say; each result is passed to ``store``."""
    if not jobs:
        return
    if options.processes == 1 and options.scheduler is None:
        for job in jobs:
            store(grade_job(job))
        return
    with _executor(options) as executor:
        lost = _spread(executor, jobs, store, 64 if options.scheduler else 2 * options.processes)
    for job, error in lost:  # its process was killed, perhaps because of another job: try it once alone
        try:
            with _executor(options) as executor:
                store(executor.submit(grade_job, job).result())
        except Exception as second_error:
            store(failed_result(job, second_error or error))


@contextmanager
def _executor(options: Options) -> Iterator[Executor]:
    """Processes of this machine, or the workers of a Dask cluster."""
    if options.scheduler is None:
        with ProcessPoolExecutor(
            options.processes, mp_context=get_context("spawn"), initializer=_end_with_parent
        ) as pool:
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


def _end_with_parent() -> None:
    """Let a worker process end when the grader does, also when the grader is killed."""
    parent = parent_process()
    assert parent is not None, "runs in a worker"

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _spread(
    executor: Executor, jobs: Sequence[Job], store: Callable[[GradedLab], None], width: int
) -> list[tuple[Job, BaseException]]:
    """Run jobs, ``width`` at a time; return those whose process was lost, and the errors."""
    ahead, running = iter(jobs), dict[Future[GradedLab], Job]()
    lost: list[tuple[Job, BaseException]] = []
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
                store(future.result())
            else:
                lost.append((job, problem))
