"""Execute labs: record one in place, run several side by side, or run single cells even if some fail.

Every notebook gets a fresh kernel of this environment's Python, which runs in the notebook's folder.
Recording and running have no time limit, since a lab may be asked to train from scratch.
Leaves out: untrusted code (:mod:`labkit.course.grading.execution`) and comparing outputs
(:mod:`labkit.course.nbval_plugin.items`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Collection, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any, Literal, TypeVar

import nbformat
import psutil
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager
from tqdm import tqdm

from labkit.course.notebook import structure
from labkit.course.notebook.lint import lint
from labkit.course.notebook.normal_form import normalise, to_bytes
from labkit.error_names import needed_exercise, public_name
from labkit.files import write_atomically

__all__ = [
    "THREAD_VARIABLES",
    "CellFailure",
    "RunResult",
    "default_jobs",
    "execute_cells",
    "record",
    "run_all",
    "usable_cores",
]

BYTES_PER_NOTEBOOK = 1_500_000_000  # a kernel with torch, a data set and a network in training
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
GRACE_SECONDS = 1.0  # after the four seconds for which nbclient waits for an interrupted cell
# What nbclient reports for a cell beyond its limit; `late` distinguishes it from the cell's own errors.
LATE_REPLY = {"late": True, "ename": "TimeoutError", "evalue": "", "traceback": []}

T = TypeVar("T")


@dataclass(frozen=True)
class CellFailure:
    """Why a cell did not succeed.

    Attributes:
        kind: how it ended.
        text: the message of the error, or a sentence.
        name: the class of the error it raised, otherwise empty.
        needs: the exercise that is not started, if that is the reason.
    """

    kind: Literal["error", "late", "kernel died", "not run"]
    text: str
    name: str = ""
    needs: str | None = None

    def __str__(self) -> str:
        return f"{self.name}: {self.text}" if self.name else self.text


Failures = dict[str, CellFailure]  # by the cell's id, in the order of the cells


@dataclass(frozen=True)
class RunResult:
    """The outcome of running one notebook; ``error`` names the cell that failed, None if none did."""

    path: Path
    seconds: float
    error: str | None


class _Client(NotebookClient):
    """A client with a kernel of its own that records failures and leaves Ctrl-C to asyncio.

    nbclient sets one handler of Ctrl-C per event loop: with several notebooks in one loop it would
    shut down the last kernel only. Here cancelling the task shuts down the task's kernel.
    """

    def __init__(self, notebook: NotebookNode, folder: Path, limit_s: float | None) -> None:
        self.manager = AsyncKernelManager(
            kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager()
        )
        super().__init__(
            notebook,
            km=self.manager,
            # subtle: the trait `timeout` holds integers only.
            timeout_func=lambda _: limit_s,
            interrupt_on_timeout=True,
            error_on_timeout=LATE_REPLY,
            shutdown_kernel="immediate",
            record_timing=False,  # nothing uses the times of cells
            resources={"metadata": {"path": str(folder.resolve())}},
        )
        self.limit_s = limit_s
        self.failures: Failures = {}
        self.running: str | None = None  # id of the cell
        self.place = -1  # index of the last cell that was started
        self.on_cell_execute = self._start
        self.on_cell_executed = self._finish

    @asynccontextmanager
    async def async_setup_kernel(self, **options: object) -> AsyncIterator[None]:
        """Start the kernel and its client; kill the kernel at the end, whatever happens."""
        try:
            await self.async_start_new_kernel(**options)
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.km is not None:
                await self._async_cleanup_kernel()

    def note_death(self, reason: str) -> None:
        """Record a failure of the cell that was running, and of those that were not run for ``reason``."""
        if self.running is not None:
            self.failures[self.running] = CellFailure("kernel died", "the kernel died while running it")
        for cell in self.nb.cells[self.place + 1 :]:
            if cell.cell_type == "code" and cell.source.strip():
                self.failures[cell.id] = CellFailure("not run", f"not run: {reason}")

    async def _start(self, cell: NotebookNode, cell_index: int) -> None:
        """Called by nbclient before it sends a cell to the kernel."""
        if not await self.manager.is_alive():
            raise DeadKernelError("The kernel died between two cells.")
        self.running, self.place = cell.id, cell_index

    async def _finish(self, cell: NotebookNode, cell_index: int, execute_reply: dict[str, Any]) -> None:  # noqa: ARG002
        """Called by nbclient after the reply to a cell, or after its time limit."""
        self.running = None
        reply = execute_reply["content"]
        if reply.get("late"):
            self.failures[cell.id] = CellFailure("late", f"not finished within {self.limit_s:g} s")
            await self._end_late_cell()
        elif reply["status"] != "ok":
            name, text = public_name(reply.get("ename", reply["status"])), reply.get("evalue", "")
            needs = needed_exercise(name, text, reply.get("traceback", ()))
            self.failures[cell.id] = CellFailure("error", text, name, needs)

    async def _end_late_cell(self) -> None:
        """Wait for the reply of a cell that was interrupted; kill the kernel if none comes."""
        assert self.kc is not None
        try:
            await self.kc.shell_channel.get_msg(timeout=GRACE_SECONDS)
        except Empty:
            await self.manager.shutdown_kernel(now=True)


def record(path: Path) -> list[str]:
    """Execute the lab ``path`` in its folder and store it, in normal form, with its outputs.

    Returns:
        The findings of :func:`labkit.course.notebook.lint.lint`, one sentence each. The lab is stored
        even if there are any, since most findings only show in the outputs.

    Raises:
        ValueError: if the file is not a well-formed lab; nothing is written.
        RuntimeError: if a cell fails; names it, and nothing is written.
        OSError: if the file cannot be read or written.
    """
    notebook, failures = _run_loop(_execute(structure.read_lab(path), path.parent, threads=usable_cores()))
    if failures:
        raise RuntimeError(f"{path.name} is unchanged: {_first_failure(failures)}")
    recorded = normalise(notebook)
    write_atomically(path, to_bytes(recorded))
    return lint(recorded)


def run_all(paths: Sequence[Path], *, jobs: int | None = None, out: Path) -> list[RunResult]:
    """Execute notebooks side by side and write each, with its outputs, to the folder ``out``.

    A notebook that fails does not stop the others. What it did until then is written too, so its page
    shows where it failed. The sources are not changed. Ctrl-C stops every kernel.

    Args:
        paths: the notebooks; their file names differ.
        jobs: how many run at a time; :func:`default_jobs` decides by default.
        out: created if missing.

    Returns:
        One result per notebook, in the order of ``paths``.

    Raises:
        ValueError: if ``jobs`` is less than 1 or two notebooks have the same file name.
        OSError: if ``out`` cannot be written.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}.")
    if len({path.name for path in paths}) < len(paths):
        raise ValueError("two notebooks have the same file name; run them one after the other.")
    return _run_loop(_run_all(paths, jobs or default_jobs(len(paths)), out))


def execute_cells(
    cells: Sequence[NotebookNode], folder: Path, *, limit_s: float, required: Collection[str] = ()
) -> Failures:
    """Execute the sources of ``cells`` in one kernel and return the failures by cell id.

    A cell that fails does not stop the others. A cell that takes too long is interrupted, and the others
    still run. If it ignores the interrupt for five seconds, the kernel is killed, and the remaining cells
    are not run.

    Args:
        cells: cells with different ids, whatever their type; they are not changed.
        folder: where the kernel runs.
        limit_s: seconds per cell.
        required: ids of cells at whose failure the run ends.
    """
    may_fail = {"tags": ["raises-exception"]}  # nbclient's own mark
    copies = [
        nbformat.v4.new_code_cell(cell.source, id=cell.id, metadata={} if cell.id in required else may_fail)
        for cell in cells
    ]
    notebook = nbformat.v4.new_notebook(cells=copies)
    _, failures = _run_loop(_execute(notebook, folder, limit_s=limit_s))
    return failures


def default_jobs(notebook_count: int) -> int:
    """Return how many notebooks to run at a time: one per core, and 1.5 GB of free memory for each."""
    by_memory = psutil.virtual_memory().available // BYTES_PER_NOTEBOOK
    return max(1, min(notebook_count, usable_cores(), by_memory))


def usable_cores() -> int:
    """Return the number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run_loop(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end, also in a notebook, whose own event loop is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run_new_loop(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(_run_new_loop, work).result()


def _run_new_loop(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine in an event loop that supports the kernels' sockets."""
    # subtle: the default loop of Windows cannot wait for sockets of ZeroMQ.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work)


async def _run_all(paths: Sequence[Path], jobs: int, out: Path) -> list[RunResult]:
    """Run every notebook, ``jobs`` at a time."""
    slots = asyncio.Semaphore(jobs)
    threads = max(1, usable_cores() // jobs)
    with tqdm(total=len(paths), unit="notebook", disable=None) as bar:

        async def run_next(path: Path) -> RunResult:
            async with slots:
                result = await _run(path, threads, out)
            bar.update()
            bar.write(f"{path.name}  {result.seconds:.0f} s  {result.error or 'ok'}")
            return result

        try:
            async with asyncio.TaskGroup() as group:  # if one raises, it cancels the others
                tasks = [group.create_task(run_next(path)) for path in paths]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
    return [task.result() for task in tasks]


async def _run(path: Path, threads: int, out: Path) -> RunResult:
    """Run one notebook and write it with its outputs."""
    start = time.perf_counter()
    try:
        source = structure.read_notebook(path, repair=True)
    except (ValueError, OSError) as error:
        (out / path.name).unlink(missing_ok=True)  # of an older run
        return RunResult(path, time.perf_counter() - start, str(error))
    executed, failures = await _execute(source, path.parent, threads=threads)
    seconds = time.perf_counter() - start
    normal = normalise(executed)
    normal.metadata["labkit"] = {"seconds": round(seconds, 1)}
    write_atomically(out / path.name, to_bytes(normal))
    return RunResult(path, seconds, _first_failure(failures) if failures else None)


def _first_failure(failures: Failures) -> str:
    """Return a sentence about the first failure that has another reason than an exercise not started.

    In a student's notebook the cells below one that fails run too, and those that need an exercise
    which is not started fail for that reason only.
    """
    not_started = sorted({failure.needs for failure in failures.values() if failure.needs})
    others = {cell_id: failure for cell_id, failure in failures.items() if not failure.needs}
    if not others:
        return f"not started yet: {', '.join(not_started)}"
    cell_id, failure = next(iter(others.items()))
    cause = " (out of memory?)" if failure.kind == "kernel died" else ""
    more = f" (and {len(others) - 1} more)" if len(others) > 1 and failure.kind == "error" else ""
    return f"cell {cell_id}: {failure}{cause}{more}"


async def _execute(
    notebook: NotebookNode, folder: Path, *, threads: int | None = None, limit_s: float | None = None
) -> tuple[NotebookNode, Failures]:
    """Execute a copy of ``notebook`` in ``folder``; return it with its outputs, and the failures.

    Args:
        notebook: execution ends at the first cell that fails, unless nbclient's tag allows its failure.
        folder: where the kernel runs.
        threads: of each numeric library; by default each library decides.
        limit_s: seconds per cell; no limit by default.
    """
    copy = nbformat.from_dict(notebook)
    for cell in structure.code_cells(copy):
        cell.outputs, cell.execution_count = [], None
    client = _Client(copy, folder, limit_s)
    environment = {**os.environ}
    if threads is not None:
        environment |= dict.fromkeys(THREAD_VARIABLES, str(threads))
    try:
        await client.async_execute(env=environment, stderr=subprocess.DEVNULL)
    except CellExecutionError:
        pass  # it is among the failures
    except DeadKernelError as error:
        # subtle: nbclient mistakes a cancellation, as by Ctrl-C, for the kernel's death.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        client.note_death("the kernel died in an earlier cell")
    except RuntimeError as error:
        client.note_death(f"the kernel did not start: {error}")
    return copy, client.failures
