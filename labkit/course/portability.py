"""Whether what is recorded also holds elsewhere: the gate and the replays under other arithmetic.

One machine stands in for others: the instruction sets of an older processor, another number of
threads, and outputs of layers that are a little off (:mod:`labkit.course.nbval_plugin.perturbation`).
Leaves out: other operating systems and Python versions (the CI matrix).
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

__all__ = ["SETTINGS", "Setting", "Shares", "comparison_table", "measure"]

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# Each library chooses its kernels by itself, so each has to be told.
AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
GATE = ("--nbval", "--nbval-current-env", "--dist", "loadscope")
REPLAYS = ("-m", "replay")
LISTED_SHARE = 0.01  # of a tolerance; what used less is counted, not listed

Shares = dict[str, float]  # of its tolerance that each cell or recipe used; infinite: it failed


@dataclass(frozen=True)
class Setting:
    """One way to compute: a name, the threads of a process, environment variables, perturbation."""

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
    """Run the gate over ``labs`` and the replays under ``setting``.

    Args:
        setting: how to compute.
        labs: notebooks; with none, only the replays run.
        replays: whether to replay the shipped recipes, which needs the workbook's ``tests``.

    Raises:
        RuntimeError: if pytest could not judge anything; its last lines say why.
    """
    shares: Shares = {}
    if labs:
        shares |= _run(setting, [*GATE, *map(str, labs)])
    if replays:
        shares |= _run(setting, [*REPLAYS, "tests/recipes/test_shipped.py"])
    return shares


def comparison_table(measured: Mapping[str, Shares]) -> tuple[list[str], list[list[str]], str]:
    """The cells and recipes that differ: column titles, rows, and one sentence about the others.

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
    """A share of a tolerance for the table."""
    if share is None:
        return "not run"
    return "FAILED" if share > 1 else f"{100 * share:.3g} %"


def _run(setting: Setting, arguments: Sequence[str]) -> Shares:
    """One run of pytest under ``setting``; what each of its tests used of its tolerance."""
    processes = max(1, _cores() // setting.threads)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={results}"]
        command += ["-n", str(processes), *(["--perturb"] if setting.perturbed else []), *arguments]
        started = time.monotonic()
        done = subprocess.run(
            command,
            cwd=settings.home(),
            env=_environment(setting),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode > 1 or not results.is_file():
            raise RuntimeError(f"pytest could not run: {(done.stdout + done.stderr)[-2000:]}")
        shares = _shares(results)
    print(f"{setting.name}: {len(shares)} in {time.monotonic() - started:.0f} s", file=sys.stderr)  # noqa: T201
    return shares


def _environment(setting: Setting) -> dict[str, str]:
    """The environment variables of a run."""
    threads = dict.fromkeys(THREAD_VARIABLES, str(setting.threads))
    return {**os.environ, **threads, **setting.environment}


def _shares(results: Path) -> Shares:
    """What a JUnit file says of each test."""
    shares: Shares = {}
    for case in ElementTree.parse(results).getroot().iter("testcase"):
        if case.find("skipped") is not None:
            continue
        failed = case.find("failure") is not None or case.find("error") is not None
        used = [
            float(p.get("value", "0")) for p in case.iter("property") if p.get("name") == "tolerance_used"
        ]
        name = f"{case.get('classname')}::{case.get('name')}"
        shares[name] = math.inf if failed else max(used, default=0.0)
    return shares


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
