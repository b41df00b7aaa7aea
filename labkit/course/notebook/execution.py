"""Execute labs: record one in place, or run many side by side into an output folder.

Every notebook gets a kernel of this environment's Python, in the notebook's own folder. No time
limit applies here, since a lab may be asked to train from scratch; limits belong to the gate
(:mod:`labkit.course.nbval_plugin.hooks`). Leaves out: comparing outputs.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

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
from labkit.error_names import public_name
from labkit.files import write_atomically

__all__ = ["Result", "default_jobs", "record", "run_all"]

BYTES_PER_NOTEBOOK = 1_500_000_000  # a kernel with torch, a data set and a network in training
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

T = TypeVar("T")


class Result(NamedTuple):
    """How one notebook fared; ``error`` names the cell that failed, None if none did."""

    path: Path
    seconds: float
    error: str | None


class _Client(NotebookClient):
    """A client that knows which cell it runs, and leaves Ctrl-C to asyncio.

    nbclient sets a handler of Ctrl-C per event loop: with several notebooks in one loop it would
    shut down the last kernel only. Here cancelling the task shuts down the task's kernel.
    """

    current = ""

    @asynccontextmanager
    async def async_setup_kernel(self, **options: object) -> AsyncIterator[None]:
        """Start the kernel and its client; kill it in the end, whatever happens."""
        try:
            await self.async_start_new_kernel(**options)
            await self.async_start_new_kernel_client()
            yield
        finally:
            if self.km is not None:
                await self._async_cleanup_kernel()

    def note(self, cell: NotebookNode, cell_index: int) -> None:  # noqa: ARG002
        """Called by nbclient, with these keywords, before a cell is executed."""
        self.current = cell.id


def record(path: Path) -> list[str]:
    """Execute the lab ``path`` in its folder and store it, in normal form, with its outputs.

    Returns:
        What :func:`labkit.course.notebook.lint.lint` finds, one sentence each; it is stored all
        the same, since most of it only shows in the outputs.

    Raises:
        ValueError: if the file is no well-formed lab; nothing is written.
        RuntimeError: if a cell fails; names it, and nothing is written.
        OSError: if the file cannot be read or written.
    """
    notebook, error = _run_loop(_execute(structure.parse(path), path, threads=_cores()))
    if error is not None:
        raise RuntimeError(f"{path.name} is unchanged: {error}")
    recorded = normalise(notebook)
    write_atomically(path, to_bytes(recorded))
    return lint(recorded)


def run_all(paths: Sequence[Path], *, jobs: int | None = None, out: Path) -> list[Result]:
    """Execute notebooks side by side and write each, with its outputs, to the folder ``out``.

    One that fails does not stop the others; what it did until then is written too, so that its
    page shows where it failed. The sources are not changed. Ctrl-C stops every kernel.

    Args:
        paths: the notebooks; their file names differ.
        jobs: how many at a time; by default as many as :func:`default_jobs` says.
        out: made if missing.

    Returns:
        One result a notebook, in the order of ``paths``.

    Raises:
        ValueError: if ``jobs`` is less than 1 or two notebooks have the same file name.
        OSError: if ``out`` cannot be written.
    """
    if jobs is not None and jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}.")
    if len({path.name for path in paths}) < len(paths):
        raise ValueError("two notebooks have the same file name; run them one after the other.")
    return _run_loop(_run_all(paths, jobs or default_jobs(len(paths)), out))


def default_jobs(notebook_count: int) -> int:
    """How many notebooks to run at a time: at most one a core, and 1.5 GB of free memory each."""
    by_memory = _available_bytes() // BYTES_PER_NOTEBOOK
    return max(1, min(notebook_count, _cores(), by_memory))


def _run_loop(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end in a loop that the kernels' sockets work with."""
    # subtle: the default loop of Windows cannot wait for sockets of ZeroMQ.
    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(work)


async def _run_all(paths: Sequence[Path], jobs: int, out: Path) -> list[Result]:
    """Run every notebook, ``jobs`` at a time."""
    slots = asyncio.Semaphore(jobs)
    threads = max(1, _cores() // jobs)
    with tqdm(total=len(paths), unit="notebook", disable=None) as bar:

        async def run_next(path: Path) -> Result:
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


async def _run(path: Path, threads: int, out: Path) -> Result:
    """Run one notebook and write what came of it; what is wrong with it is in the result."""
    start = time.perf_counter()
    try:
        source = structure.read(path)
    except (ValueError, OSError) as error:
        (out / path.name).unlink(missing_ok=True)
        return Result(path, time.perf_counter() - start, str(error))
    executed, problem = await _execute(source, path, threads)
    seconds = time.perf_counter() - start
    normal = normalise(executed)
    normal.metadata["labkit"] = {"seconds": round(seconds, 1)}
    write_atomically(out / path.name, to_bytes(normal))
    return Result(path, seconds, problem)


async def _execute(notebook: NotebookNode, path: Path, threads: int) -> tuple[NotebookNode, str | None]:
    """Execute a copy of ``notebook`` beside its file; it, and what failed or None."""
    copy = nbformat.from_dict(notebook)
    for cell in structure.code_cells(copy):
        cell.outputs, cell.execution_count = [], None
    manager = AsyncKernelManager(
        kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager()
    )
    client = _Client(
        copy,
        km=manager,
        timeout=None,
        shutdown_kernel="immediate",
        resources={"metadata": {"path": str(path.resolve().parent)}},
    )
    client.on_cell_execute = client.note
    environment = os.environ | dict.fromkeys(THREAD_VARIABLES, str(threads))
    try:
        await client.async_execute(env=environment, stderr=subprocess.DEVNULL)
    except CellExecutionError as error:
        return copy, f"cell {client.current}: {public_name(error.ename)}: {error.evalue}"
    except DeadKernelError as error:
        # subtle: nbclient takes being cancelled, as by Ctrl-C, for the kernel's death.
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        return copy, f"cell {client.current}: the kernel died (out of memory?)"
    except RuntimeError as error:
        return copy, f"the kernel did not start: {error}"
    return copy, None


def _cores() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _available_bytes() -> int:
    """Memory that can be used without swapping."""
    return int(psutil.virtual_memory().available)
