"""The pytest plugin: ``pytest --nbval`` judges a lab by the labels of its cells.

pytest loads this module on every start, so it stays small; the implementation in
:mod:`labkit.course.nbval_plugin.items` is imported only when a lab is collected. Notebooks without
labels are left to nbval.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

__all__ = ["pytest_addoption", "pytest_collect_file", "pytest_configure", "pytest_runtest_makereport"]

LABELLED = re.compile(rb'(?<!\\)"labkit"\s*:')  # as a key; inside a source the quotes are escaped
WHOLE_FILE_MODES = ("no", "loadscope", "loadfile")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that `labkit portable` uses."""
    parser.getgroup("labkit").addoption(
        "--perturb",
        action="store_true",
        help="change the result of each convolution and linear layer slightly, as another processor might",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Perturb this process if asked, and refuse to distribute the cells of one notebook to processes."""
    if config.option.perturb and not getattr(config.option, "nbval", False):
        from labkit.course.nbval_plugin.perturbation import perturb_arithmetic

        perturb_arithmetic()
    mode = getattr(config.option, "dist", "no")
    if getattr(config.option, "nbval", False) and mode not in WHOLE_FILE_MODES:
        raise pytest.UsageError("the cells of a notebook share a kernel: add --dist loadscope.")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Collect a notebook with labels as a lab, in place of nbval's file."""
    collected = yield
    option = parent.config.option
    if file_path.suffix != ".ipynb" or not (
        getattr(option, "nbval", False) or getattr(option, "nbval_lax", False)
    ):
        return collected
    if not LABELLED.search(file_path.read_bytes()):
        return collected
    from nbval.plugin import IPyNbFile

    from labkit.course.nbval_plugin.items import LabFile

    return [
        LabFile.from_parent(parent, path=file_path) if isinstance(collector, IPyNbFile) else collector
        for collector in collected
    ]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Report the points that a cell earned: all if it passed, none otherwise.

    A cell that passes although it was expected to fail (XPASS) earns nothing.
    """
    report = yield
    possible: dict[str, Any] | None = getattr(item, "possible_points", None)
    decided = call.when == "call" or (call.when == "setup" and not report.passed)
    if possible and decided:
        passed = report.passed and not hasattr(report, "wasxfail")
        points = ("points", json.dumps({**possible, "earned": possible["max"] if passed else 0}))
        item.user_properties.append(points)
        report.user_properties.append(points)
    return report
