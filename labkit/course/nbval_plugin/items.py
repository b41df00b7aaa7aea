"""A lab and its code cells as pytest items: nbval's, with tolerances, limits and points.

Leaves out: how two texts are compared (:mod:`labkit.course.notebook.comparison`).
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator
from queue import Empty
from typing import Any

import psutil
import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from labkit.course.notebook import structure
from labkit.course.notebook.comparison import DEFAULT, EXACT, Tolerance, differences, share_used
from labkit.error_names import with_public_names

__all__ = ["LabCell", "LabFile"]

CELL_SECONDS = 120.0  # of processor time
WALL_FACTOR = 10  # a busy machine may take so many times longer, by the clock on the wall
POLL_SECONDS = 0.5
PERTURB = "from labkit.course.nbval_plugin.perturbation import perturb_arithmetic; perturb_arithmetic()"
MAX_PLACES = 20  # differences listed one by one
# What stands beside text/plain for people and for reports; the figures' and tables' text is compared.
NOT_COMPARED = ("text/html", "application/vnd.labkit.table+json", "application/vnd.labkit.figure+json")


class KernelDied(Exception):
    """The kernel's process ended while a cell ran."""


class WatchedKernel(RunningKernel):  # type: ignore[misc]  # nbval has no types
    """A running kernel whose death is noticed, and whose time is limited cell by cell.

    The limit counts the processor time of the kernel and of the processes it has started, so a
    machine that is busy with something else takes longer without failing. A cell that computes
    nothing, such as one that waits for a lock, ends after ten times as long by the wall clock.
    """

    def __init__(self, running: RunningKernel) -> None:
        self.km, self.kc = running.km, running.kc
        self.limit_s = CELL_SECONDS
        self.late = False

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply to ``msg_id``, looking twice a second for life and for time used.

        Raises:
            KernelDied: within a second of the kernel's end.
            Empty: when the time is over; ``late`` is set then.
        """
        del timeout  # nbval's is one for all cells
        wall_end = time.monotonic() + WALL_FACTOR * self.limit_s
        processor_end = self._processor_seconds() + self.limit_s
        while True:
            try:
                return super().await_reply(msg_id, timeout=min(POLL_SECONDS, self.limit_s))
            except Empty:
                if not self.is_alive():
                    raise KernelDied from None
                if time.monotonic() >= wall_end or self._processor_seconds() >= processor_end:
                    self.late = True
                    raise

    def run_quietly(self, code: str) -> None:
        """Run ``code`` before the first cell; it must not fail.

        Raises:
            RuntimeError: with the name of its exception if it does.
        """
        reply = self.kc.execute_interactive(code, store_history=False, output_hook=lambda _: None)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content'].get('ename')} in {code!r}")

    def _processor_seconds(self) -> float:
        """Processor time of the kernel and of its children, those that have ended included."""
        total = 0.0
        with contextlib.suppress(psutil.Error):  # a process that ends meanwhile
            kernel = psutil.Process(self.km.provisioner.pid)
            for process in (kernel, *kernel.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += sum(process.cpu_times()[:4])  # user, system, and the same of children
        return total


class LabFile(IPyNbFile):  # type: ignore[misc]  # nbval has no types
    """A lab: its code cells, run in order in one kernel."""

    skip_compare: tuple[str, ...]
    kernel: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.skip_compare = (*self.skip_compare, *NOT_COMPARED)

    def setup(self) -> None:
        """Start the kernel, its arithmetic perturbed if ``--perturb`` asks for it."""
        super().setup()
        self.kernel = WatchedKernel(self.kernel)
        if self.config.option.perturb:
            self.kernel.run_quietly(PERTURB)

    def collect(self) -> Iterator[LabCell]:
        """One item a code cell, named by its id.

        Its output is compared unless its label ``compare`` is false, which is for latency, memory
        and energy: no comment, tag or ``--nbval-lax`` switches that off.
        """
        try:
            self.nb = structure.read_notebook(self.path)
            structure.require_cell_info(self.nb, self.path.name)
        except ValueError as error:
            raise self.CollectError(str(error)) from error
        for number, cell in enumerate(structure.code_cells(self.nb)):
            options = defaultdict(bool, check=structure.cell_info(cell).get("compare", True))
            yield LabCell.from_parent(self, name=cell.id, cell_num=number, cell=cell, options=options)


class LabCell(IPyNbCell):  # type: ignore[misc]  # nbval has no types
    """A code cell: executed, its outputs compared with the recorded ones."""

    def __init__(self, name: str, parent: LabFile, **options: Any) -> None:
        super().__init__(name, parent, **options)
        found = structure.cell_info(self.cell)
        self.tolerance = (
            EXACT
            if found.get("role") == "claim"
            else Tolerance(found.get("rtol", DEFAULT.rtol), found.get("atol", DEFAULT.atol))
        )
        self.share_used = 0.0  # of the tolerance, by the number furthest from the recorded one
        self.limit_s = float(found.get("timeout", CELL_SECONDS))
        self.possible_points = (
            {"question": found.get("id"), "cell": self.cell.id, "max": found["points"]}
            if found.get("role") in structure.GRADED_ROLES and found.get("points")
            else None
        )

    def runtest(self) -> None:
        """Execute the cell and compare; every failure is an NbCellError."""
        if self.cell.execution_count is None:
            self.raise_cell_error(
                "no execution count, so that its outputs would not be compared; run `labkit record`"
            )
        kernel = self.parent.kernel
        if not kernel.is_alive():
            self.raise_cell_error("not executed: the kernel has ended in an earlier cell")
        kernel.limit_s, kernel.late = self.limit_s, False
        try:
            super().runtest()
        except KernelDied:
            self.raise_cell_error("the kernel died while executing it")
        finally:
            # After a clean interrupt later cells count; if the kernel is gone they fail above.
            self.parent.timed_out = False
            if self.share_used:
                self.user_properties.append(("tolerance_used", self.share_used))
        if kernel.late:  # it caught the interrupt and went on
            self.raise_cell_error("")

    def raise_cell_error(self, message: str, *args: Any, **options: Any) -> None:
        """Fail; once the time is over, that is the reason, whatever else happened."""
        if self.parent.kernel.late:
            message = (
                f"not finished within its limit of {self.limit_s:g} s of processor time "
                f"or {WALL_FACTOR * self.limit_s:g} s by the clock"
            )
        super().raise_cell_error(message, *args, **options)

    def sanitize(self, text: Any) -> Any:
        """A text that nbval's ``!=`` compares within the cell's tolerance."""
        text = super().sanitize(text)
        return _TolerantText(text, self) if isinstance(text, str) else text

    def format_output_compare(self, key: str, left: Any, right: Any) -> None:
        """Explain a difference: place by place, then as nbval does."""
        if isinstance(left, _TolerantText) and isinstance(right, str):
            places = differences(left, right, self.tolerance)
            self.comparison_traceback += [f"  {key}, {place}" for place in places[:MAX_PLACES]]
        super().format_output_compare(key, left, right)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """The report of a failure, beginning with the notebook and the cell's id."""
        error = excinfo.value
        where = f"{self.path.name}, cell {self.cell.id}"
        if not isinstance(error, NbCellError):
            return f"{where}: {type(error).__name__}: {error}"
        parts = [f"{where}: {error}", f"Source:\n{error.source}"]
        if error.inner_traceback:
            parts.insert(1, with_public_names(str(error.inner_traceback)))
        return "\n\n".join(parts)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Where the cell stands, for pytest's listings."""
        return self.path, 0, self.cell.id


class _TolerantText(str):
    """A recorded text; ``!=`` tells whether another one differs by more than its cell's tolerance."""

    cell: LabCell

    def __new__(cls, text: str, cell: LabCell) -> _TolerantText:
        self = super().__new__(cls, text)
        self.cell = cell
        return self

    def __ne__(self, other: object) -> bool:
        if not isinstance(other, str):
            return True
        share = share_used(self, other, self.cell.tolerance)
        self.cell.share_used = max(self.cell.share_used, share)
        return share > 1

    def __eq__(self, other: object) -> bool:
        return not self != other

    __hash__ = str.__hash__
