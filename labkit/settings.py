"""The settings of a run: the workbook's folder, the mode and the device, all from ``LABKIT_…`` variables.

``LABKIT_DATASET`` is read in :mod:`labkit.data`. torch is imported inside the function that needs it,
so the command line starts without it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

__all__ = ["MODES", "checkpoint_dir", "checkpoint_file", "choose_device", "data_dir", "home", "mode"]

MODES = ("auto", "smoke", "full")


def home() -> Path:
    """The workbook's folder: ``$LABKIT_HOME``, or the folder that holds the package.

    Raises:
        ValueError: if the variable holds a relative path: notebooks run in ``labs/``, the command
            line elsewhere, so it would name two folders.
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
