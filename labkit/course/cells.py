"""A lab and its code cells as pytest items: nbval's, with tolerances, limits and points.

Leaves out: how two texts are compared (:mod:`labkit.course.tolerance`).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from queue import Empty
from typing import Any

import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from labkit.course import notebooks
from labkit.course.tolerance import DEFAULT, Tolerance, differences

__all__ = ["LabCell", "LabFile"]

CELL_SECONDS = 120.0
POLL_SECONDS = 0.5
MAX_PLACES = 20  # differences listed one by one
# What stands beside text/plain for people and for reports; the figures' and tables' text is compared.
NOT_COMPARED = ("text/html", "application/vnd.labkit.table+json", "application/vnd.labkit.figure+json")


class KernelDied(Exception):
    """The kernel's process ended while a cell ran."""


class WatchedKernel(RunningKernel):  # type: ignore[misc]  # nbval has no types
    """A running kernel whose death is noticed, and whose time is limited cell by cell."""

    def __init__(self, running: RunningKernel) -> None:
        self.km, self.kc = running.km, running.kc
        self.limit_s = CELL_SECONDS
        self.late = False

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply to ``msg_id``, at most ``limit_s``, looking twice a second for life.

        Raises:
            KernelDied: within a second of the kernel's end.
            Empty: when the time is over; ``late`` is set then.
        """
        del timeout  # nbval's is one for all cells
        end = time.monotonic() + self.limit_s
        while True:
            try:
                return super().await_reply(msg_id, timeout=POLL_SECONDS)
            except Empty:
                if not self.is_alive():
                    raise KernelDied from None
                if time.monotonic() >= end:
                    self.late = True
                    raise


class LabFile(IPyNbFile):  # type: ignore[misc]  # nbval has no types
    """A lab: its code cells, run in order in one kernel."""

    skip_compare: tuple[str, ...]
    kernel: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.skip_compare = (*self.skip_compare, *NOT_COMPARED)

    def setup(self) -> None:
        """Start the kernel."""
        super().setup()
        self.kernel = WatchedKernel(self.kernel)

    def collect(self) -> Iterator[LabCell]:
        """One item a code cell, named by its id.

        Its output is compared unless its label ``compare`` is false, which is for latency, memory
        and energy: no comment, tag or ``--nbval-lax`` switches that off.
        """
        try:
            self.nb = notebooks.read(self.path)
            notebooks.require_labels(self.nb, self.path.name)
        except ValueError as error:
            raise self.CollectError(str(error)) from error
        for number, cell in enumerate(notebooks.code_cells(self.nb)):
            options = defaultdict(bool, check=notebooks.labels(cell).get("compare", True))
            yield LabCell.from_parent(self, name=cell.id, cell_num=number, cell=cell, options=options)


class LabCell(IPyNbCell):  # type: ignore[misc]  # nbval has no types
    """A code cell: executed, its outputs compared with the recorded ones."""

    def __init__(self, name: str, parent: LabFile, **options: Any) -> None:
        super().__init__(name, parent, **options)
        found = notebooks.labels(self.cell)
        self.tolerance = Tolerance(found.get("rtol", DEFAULT.rtol), found.get("atol", DEFAULT.atol))
        self.limit_s = float(found.get("timeout", CELL_SECONDS))
        self.possible_points = (
            {"question": found.get("id"), "cell": self.cell.id, "max": found["points"]}
            if found.get("role") in notebooks.GRADED_ROLES and found.get("points")
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
        if kernel.late:  # it caught the interrupt and went on
            self.raise_cell_error("")

    def raise_cell_error(self, message: str, *args: Any, **options: Any) -> None:
        """Fail; once the time is over, that is the reason, whatever else happened."""
        if self.parent.kernel.late:
            message = f"not finished within its limit of {self.limit_s:g} s"
        super().raise_cell_error(message, *args, **options)

    def sanitize(self, text: Any) -> Any:
        """A text that nbval's ``!=`` compares within the cell's tolerance."""
        text = super().sanitize(text)
        return _TolerantText(text, self.tolerance) if isinstance(text, str) else text

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
            parts.insert(1, str(error.inner_traceback))
        return "\n\n".join(parts)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Where the cell stands, for pytest's listings."""
        return self.path, 0, self.cell.id


class _TolerantText(str):
    """A recorded text; ``!=`` tells whether another one differs by more than the tolerance."""

    tolerance: Tolerance

    def __new__(cls, text: str, tolerance: Tolerance) -> _TolerantText:
        self = super().__new__(cls, text)
        self.tolerance = tolerance
        return self

    def __ne__(self, other: object) -> bool:
        if not isinstance(other, str):
            return True
        return bool(differences(self, other, self.tolerance))

    def __eq__(self, other: object) -> bool:
        return not self != other

    __hash__ = str.__hash__
