"""What makes a run repeatable: seed, device, threads, mode, paths and the environment stamp.

Leaves out: anything about data or models. torch is imported inside the functions that need it,
so that the command line starts without it.
"""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

__all__ = [
    "MODES",
    "checkpoint_dir",
    "checkpoint_file",
    "choose_device",
    "data_dir",
    "environment_stamp",
    "home",
    "has_fast_bf16",
    "mode",
    "seed_everything",
    "write_atomically",
]

MODES = ("auto", "smoke", "full")


def home() -> Path:
    """The workbook's folder: ``$LABKIT_HOME``, or the folder that holds the package.

    Raises:
        ValueError: if the variable holds a relative path: notebooks run in ``labs/``, the command
            line elsewhere, so that it would name two folders.
    """
    chosen = os.environ.get("LABKIT_HOME")
    if not chosen:
        return Path(__file__).resolve().parents[1]
    if not Path(chosen).is_absolute():
        raise ValueError(f"LABKIT_HOME={chosen!r} is a relative path; set it to an absolute one.")
    return Path(chosen).resolve()


def data_dir() -> Path:
    """Where data sets are built and downloaded (``data/``, git-ignored)."""
    return home() / "data"


def checkpoint_dir() -> Path:
    """Where trained weights and their manifest lie (``checkpoints/``)."""
    return home() / "checkpoints"


def checkpoint_file(name: str, entry: Mapping[str, object]) -> str:
    """The file name of checkpoint ``name``, from its entry as the manifest's JSON has it."""
    return f"{name}.{entry.get('format', 'safetensors')}"


def mode() -> str:
    """How checkpoints are obtained, from ``$LABKIT_MODE``: ``auto``, ``smoke`` or ``full``.

    Raises:
        ValueError: if the variable holds anything else.
    """
    value = os.environ.get("LABKIT_MODE", "auto")
    if value not in MODES:
        raise ValueError(f"LABKIT_MODE={value!r} is not a mode; set it to one of {', '.join(MODES)}.")
    return value


def choose_device() -> torch.device:
    """The device to train on: ``$LABKIT_DEVICE`` if set, else CUDA if present, else the CPU.

    Raises:
        ValueError: if the device asked for is unknown or absent.
    """
    import torch

    asked = os.environ.get("LABKIT_DEVICE", "auto")
    if asked not in ("auto", "cpu", "cuda"):
        raise ValueError(f"LABKIT_DEVICE={asked!r} is not a device; set it to auto, cpu or cuda.")
    if asked == "cuda" and not torch.cuda.is_available():
        raise ValueError("LABKIT_DEVICE=cuda, but torch sees no CUDA device; set it to auto or cpu.")
    return torch.device("cuda" if asked != "cpu" and torch.cuda.is_available() else "cpu")


def has_fast_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is done in hardware on ``device``; emulated, it is slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not torch.backends.mkldnn.is_available():
        return False
    if platform.machine() in ("x86_64", "AMD64"):
        if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
            return False  # the processor has no AVX-512, or ATEN_CPU_CAPABILITY keeps torch from it
        # subtle: oneDNN also takes bf16 where AVX-512 only emulates it.
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators.

    Raises:
        ValueError: if ``seed`` is negative or needs more than 32 bits (NumPy's limit).
    """
    import torch

    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32), got {seed}.")
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  # subtle: libraries still read the legacy global state
    torch.manual_seed(seed)


def environment_stamp() -> dict[str, str]:
    """Versions and hardware that a recorded number depends on, as plain strings."""
    import torch

    device = choose_device()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torchvision": metadata.version("torchvision"),
        "numpy": np.__version__,
        "hardware": torch.cuda.get_device_name() if device.type == "cuda" else _cpu_name(),
        "threads": str(torch.get_num_threads()),
        "bf16": "yes" if has_fast_bf16(device) else "no",
    }


def write_atomically(path: Path, content: bytes) -> None:
    """Write ``content`` to ``path`` so that an interruption leaves the old file or the new one.

    Raises:
        OSError: if the disk is full or the folder cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _cpu_name() -> str:
    """The processor's model name, or its architecture where the system does not tell."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
