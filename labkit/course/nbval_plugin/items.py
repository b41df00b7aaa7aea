"""A lab and its code cells as pytest items: nbval's, extended by tolerances, time limits and points.

Leaves out: how two texts are compared (:mod:`labkit.course.notebook.comparison`).
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty
from typing import Any

import psutil
import pytest
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError, transform_streams_for_comparison

from labkit.course.notebook import structure
from labkit.course.notebook.comparison import EXACT, Tolerance, differences, share_used
from labkit.error_names import with_public_names

__all__ = ["LabCell", "LabFile"]

CELL_SECONDS = 120.0  # of processor time
WALL_FACTOR = 10  # a busy machine may take this many times longer by the wall clock
POLL_SECONDS = 0.5
PERTURB = "from labkit.course.nbval_plugin.perturbation import perturb_arithmetic; perturb_arithmetic()"
MAX_DIFFERENCES = 20  # listed one by one
# Of a figure or table, only text/plain is compared; these are for people and for reports.
NOT_COMPARED = ("text/html", "application/vnd.labkit.table+json", "application/vnd.labkit.figure+json")


class KernelDied(Exception):
    """The kernel's process ended while a cell ran."""


class WatchedKernel(RunningKernel):  # type: ignore[misc]  # nbval has no types
    """A running kernel with a time limit per cell, whose death is noticed within a second.

    The limit counts the processor time of the kernel and of the processes it has started, so a cell on
    a busy machine takes longer without failing. A cell that computes nothing, such as one that waits
    for a lock, is interrupted after ten times the limit by the wall clock.
    """

    def __init__(self, running: RunningKernel) -> None:
        self.km, self.kc = running.km, running.kc
        self.limit_s = CELL_SECONDS
        self.late = False

    def await_reply(self, msg_id: str, timeout: float | None = None) -> None:
        """Wait for the reply to ``msg_id``; check twice a second that the kernel lives and is in time.

        Raises:
            KernelDied: within a second of the kernel's death.
            Empty: when the time limit is exceeded; ``late`` is then set.
        """
        del timeout  # nbval has one limit for all cells
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
        """Run ``code`` before the first cell.

        Raises:
            RuntimeError: if it fails; with the name of its exception.
        """
        reply = self.kc.execute_interactive(code, store_history=False, output_hook=lambda _: None)
        if reply["content"]["status"] != "ok":
            raise RuntimeError(f"{reply['content'].get('ename')} in {code!r}")

    def _processor_seconds(self) -> float:
        """Return the processor time of the kernel and its child processes, ended ones included."""
        total = 0.0
        with contextlib.suppress(psutil.Error):  # a process may end meanwhile
            kernel = psutil.Process(self.km.provisioner.pid)
            for process in (kernel, *kernel.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += sum(process.cpu_times()[:4])  # user, system, and the same of children
        return total


class LabFile(IPyNbFile):  # type: ignore[misc]  # nbval has no types
    """A lab, whose code cells run in order in one kernel."""

    skip_compare: tuple[str, ...]
    kernel: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.skip_compare = (*self.skip_compare, *NOT_COMPARED)

    def setup(self) -> None:
        """Start the kernel, and perturb its arithmetic if ``--perturb`` is given."""
        super().setup()
        self.kernel = WatchedKernel(self.kernel)
        if self.config.option.perturb:
            self.kernel.run_quietly(PERTURB)

    def collect(self) -> Iterator[LabCell]:
        """Yield one item per code cell, named after the cell's id.

        The output is compared unless the cell's label ``compare`` is false, which is for latency, memory
        and energy. No comment, tag or ``--nbval-lax`` switches the comparison off.
        """
        try:
            self.nb = structure.read_notebook(self.path)
            structure.require_cell_info(self.nb, self.path.name)
        except ValueError as error:
            raise self.CollectError(str(error)) from error
        for number, cell in enumerate(structure.code_cells(self.nb)):
            options = defaultdict(bool, check=structure.cell_info(cell).compare)
            yield LabCell.from_parent(self, name=cell.id, cell_num=number, cell=cell, options=options)


class LabCell(IPyNbCell):  # type: ignore[misc]  # nbval has no types
    """A code cell, which is executed and its outputs compared with the recorded ones."""

    def __init__(self, name: str, parent: LabFile, **options: Any) -> None:
        super().__init__(name, parent, **options)
        info = structure.cell_info(self.cell)
        self.tolerance = EXACT if info.role == "claim" else Tolerance.of(info.rtol, info.atol)
        self.share_used = 0.0  # of the tolerance, by the number furthest from the recorded one
        self.limit_s = float(CELL_SECONDS if info.timeout_s is None else info.timeout_s)
        self.possible_points = (
            {"question": info.exercise, "cell": self.cell.id, "max": info.points}
            if info.role in structure.GRADED_ROLES and info.points
            else None
        )

    def runtest(self) -> None:
        """Execute the cell and compare its outputs; every failure is an NbCellError."""
        if self.cell.execution_count is None:
            self.raise_cell_error(
                "no execution count, so its outputs would not be compared; run `labkit record`"
            )
        kernel = self.parent.kernel
        if not kernel.is_alive():
            self.raise_cell_error("not executed: the kernel died in an earlier cell")
        kernel.limit_s, kernel.late = self.limit_s, False
        try:
            super().runtest()
        except KernelDied:
            self.raise_cell_error("the kernel died while executing it")
        finally:
            # After an interrupt the next cells are judged as usual; if the kernel died, they fail above.
            self.parent.timed_out = False
            if self.share_used:
                self.user_properties.append(("tolerance_used", self.share_used))
        if kernel.late:  # the cell caught the interrupt and continued
            self.raise_cell_error("")

    def raise_cell_error(self, message: str, *args: Any, **options: Any) -> None:
        """Fail; if the cell exceeded its time limit, report that instead of ``message``."""
        if self.parent.kernel.late:
            message = (
                f"not finished within its limit of {self.limit_s:g} s of processor time "
                f"or {WALL_FACTOR * self.limit_s:g} s by the clock"
            )
        super().raise_cell_error(message, *args, **options)

    def compare_outputs(
        self, test: Sequence[Any], ref: Sequence[Any], skip_compare: Sequence[str] | None = None
    ) -> bool:
        """Return whether new outputs agree with the recorded ones; texts within the cell's tolerance.

        Overrides nbval's comparison, which is exact. As there, only outputs of the same kind are
        compared, in their order. ``comparison_traceback`` lists what differs.
        """
        skipped = skip_compare or self.parent.skip_compare
        recorded, new = self._values_by_kind(ref, skipped), self._values_by_kind(test, skipped)
        self.comparison_traceback: list[str] = []
        for kind in dict.fromkeys((*recorded, *new)):
            if len(recorded[kind]) != len(new[kind]):
                self.comparison_traceback += [
                    f"  {kind}: recorded {len(recorded[kind])} outputs, got {len(new[kind])}",
                    f"  recorded: {recorded[kind]}",
                    f"  got: {new[kind]}",
                ]
                continue
            for recorded_value, new_value in zip(recorded[kind], new[kind], strict=True):
                self._compare_values(kind, recorded_value, new_value)
        return not self.comparison_traceback

    def _values_by_kind(self, outputs: Sequence[Any], skipped: Sequence[str]) -> dict[str, list[Any]]:
        """Return the values of all outputs by stream name, MIME type or field name."""
        values: dict[str, list[Any]] = defaultdict(list)
        for output in transform_streams_for_comparison(outputs):
            fields: Mapping[str, Any] = {**output, **output.get("data", {})}
            for kind, value in fields.items():
                if kind != "data" and kind not in skipped:
                    values[kind].append(self.sanitize(value))
        return values

    def _compare_values(self, kind: str, recorded: Any, new: Any) -> None:
        """Note the share of the tolerance that a new value uses, and explain a difference if there is one."""
        if not (isinstance(recorded, str) and isinstance(new, str)):
            if recorded != new:
                self.format_output_compare(kind, recorded, new)
            return
        self.share_used = max(self.share_used, share_used(recorded, new, self.tolerance))
        places = differences(recorded, new, self.tolerance)
        if places:
            self.comparison_traceback += [f"  {kind}, {place}" for place in places[:MAX_DIFFERENCES]]
            self.format_output_compare(kind, recorded, new)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str:
        """Return the report of a failure, which starts with the notebook and the cell's id."""
        error = excinfo.value
        where = f"{self.path.name}, cell {self.cell.id}"
        if not isinstance(error, NbCellError):
            return f"{where}: {type(error).__name__}: {error}"
        parts = [f"{where}: {error}", f"Source:\n{error.source}"]
        if error.inner_traceback:
            parts.insert(1, with_public_names(str(error.inner_traceback)))
        return "\n\n".join(parts)

    def reportinfo(self) -> tuple[Any, int, str]:
        """Return the cell's location for pytest's listings."""
        return self.path, 0, self.cell.id
