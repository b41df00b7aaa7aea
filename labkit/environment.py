"""Seeds, hardware and versions: what a recorded number depends on besides the code.

torch is imported inside the functions that need it, so the command line starts without loading it.
"""

from __future__ import annotations

import operator
import platform
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labkit.settings import choose_device

if TYPE_CHECKING:
    import torch

__all__ = ["environment_stamp", "has_fast_bf16", "keep_random_state", "seed_everything"]


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's global generators.

    Raises:
        ValueError: if ``seed`` is negative or needs more than 32 bits (NumPy's limit).
    """
    import torch

    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be an integer in [0, 2**32), got {seed}.")
    random.seed(operator.index(seed))  # also of NumPy's integers
    np.random.seed(seed)  # noqa: NPY002  # subtle: libraries still read the legacy global state
    torch.manual_seed(seed)


@contextmanager
def keep_random_state() -> Iterator[None]:
    """Restore Python's, NumPy's and torch's global generators at the end of the block.

    It also decorates a function. torch's generators are kept if torch is loaded when the block begins;
    that of the GPU if it is the device in use.

    >>> with keep_random_state():
    ...     first = random.random()
    >>> first == random.random()
    True
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch = sys.modules.get("torch")  # subtle: lab 01 does without torch, which takes seconds to load
    try:
        if torch is None:
            yield
            return
        uses_gpu = torch.cuda.is_available() and choose_device().type == "cuda"
        with torch.random.fork_rng(range(torch.cuda.device_count()) if uses_gpu else ()):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether ``device`` computes bf16 in hardware; emulated bf16 is slower than float32."""
    import torch

    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if not torch.backends.mkldnn.is_available():
        return False
    if platform.machine() in ("x86_64", "AMD64"):
        if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2"):
            return False  # no AVX-512, or ATEN_CPU_CAPABILITY keeps torch from using it
        # subtle: oneDNN also accepts bf16 where AVX-512 only emulates it.
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def environment_stamp() -> dict[str, str]:
    """Return the versions and hardware that a recorded number depends on, as plain strings."""
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


def _cpu_name() -> str:
    """Return the processor's model name, or its architecture if the system does not give the name."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
