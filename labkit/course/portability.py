"""Check that recorded results hold on other machines: repeat them with other arithmetic.

The nbval run and the replays of recipes, one of each kind, are repeated with the instruction set of an older
processor, with another number of threads, and with slightly changed outputs of layers
(:mod:`labkit.course.nbval_plugin.perturbation`). Leaves out: other operating systems and versions of
Python, which the CI matrix covers.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from labkit import settings
from labkit.course.notebook.execution import THREAD_VARIABLES, usable_cores

__all__ = ["SETTINGS", "Setting", "Shares", "comparison_table", "measure"]

# Each library selects its instruction set by itself, so each needs a variable.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
NBVAL = ("--nbval", "--nbval-current-env", "--dist", "loadscope")
# One recipe of each kind, as `make test` replays; `make verify` replays all on one processor.
REPLAYS = ("-m", "replay and not slow")
LISTED_SHARE = 0.01  # of a tolerance; cells that used less are counted, not listed

# The share of its tolerance that each cell or recipe used, by its name; infinite if it failed.
Shares = dict[str, float]


@dataclass(frozen=True)
class Setting:
    """One way to compute: its name, threads per process, environment variables, and perturbation."""

    name: str
    threads: int
    environment: Mapping[str, str] = field(default_factory=dict)
    perturbed: bool = False


SETTINGS = (
    Setting("native, 1 thread", 1),
    Setting("native, 2 threads", 2),
    Setting("AVX2, 1 thread", 1, AVX2),
    Setting("AVX2, 2 threads", 2, AVX2),
    Setting("perturbed", 1, perturbed=True),
)


def measure(setting: Setting, labs: Sequence[Path], *, replays: bool = True) -> Shares:
    """Run the nbval run over ``labs``, and the replays, with ``setting``.

    Args:
        setting: how to compute.
        labs: notebooks; if there are none, only the replays run.
        replays: whether to replay recipes, one of each kind, which needs the workbook's ``tests``.

    Raises:
        RuntimeError: if pytest could not run; quotes its last lines.
    """
    shares: Shares = {}
    if labs:
        shares |= _run(setting, [*NBVAL, *map(str, labs)])
    if replays:
        shares |= _run(setting, [*REPLAYS, "tests/recipes/test_shipped.py"])
    return shares


def comparison_table(measured: Mapping[str, Shares]) -> tuple[list[str], list[list[str]], str]:
    """Return a table of the cells and recipes that differ: columns, rows, a sentence about the others.

    >>> comparison_table({"native": {"a": 0.0, "b": 0.5}, "AVX2": {"a": 0.001, "b": math.inf}})[1]
    [['b', '50 %', 'FAILED']]
    """
    items = list(dict.fromkeys(item for shares in measured.values() for item in shares))
    largest = {item: max(shares.get(item, math.inf) for shares in measured.values()) for item in items}
    listed = [item for item in items if largest[item] >= LISTED_SHARE]
    rows = [[item, *(_text(shares.get(item)) for shares in measured.values())] for item in listed]
    rest = f"{len(items) - len(listed)} others used less than {LISTED_SHARE:.0%} of their tolerance."
    return ["cell or recipe", *measured], rows, rest


def _text(share: float | None) -> str:
    """Return a share of a tolerance as the table shows it."""
    if share is None:
        return "not run"
    return "FAILED" if share > 1 else f"{100 * share:.3g} %"


def _run(setting: Setting, arguments: Sequence[str]) -> Shares:
    """Run pytest with ``setting``; return the share of its tolerance that each test used."""
    processes = max(1, usable_cores() // setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}"]
        command += ["-n", str(processes), *(["--perturb"] if setting.perturbed else []), *arguments]
        start = time.monotonic()
        completed = subprocess.run(
            command,
            cwd=settings.home(),
            env=_environment(setting),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if completed.returncode > 1 or not results.is_file():
            raise RuntimeError(f"pytest could not run: {(completed.stdout + completed.stderr)[-2000:]}")
        shares = _shares(results)
    print(f"{setting.name}: {len(shares)} tests in {time.monotonic() - start:.0f} s", file=sys.stderr)  # noqa: T201
    return shares


def _environment(setting: Setting) -> dict[str, str]:
    """Return the environment variables of a run."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(setting.threads))
    return {**os.environ, **threads, **setting.environment}


def _shares(results: Path) -> Shares:
    """Return the shares in a JUnit file; a skipped test has none."""
    shares: Shares = {}
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        if case.find("skipped") is not None:
            continue
        failed = case.find("failure") is not None or case.find("error") is not None
        used = [
            float(entry.get("value", "0"))
            for entry in case.iter("property")
            if entry.get("name") == "tolerance_used"
        ]
        name = f"{case.get('classname')}::{case.get('name')}"
        shares[name] = math.inf if failed else max(used, default=0.0)
    return shares
