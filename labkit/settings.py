"""Settings from environment variables ``LABKIT_…``: the workbook's folder, the mode, the budget, the device.

``LABKIT_DATASET`` is read in :mod:`labkit.data`. torch is imported inside the function that needs it,
so the command line starts without loading it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeVar

if TYPE_CHECKING:
    import torch

__all__ = [
    "BUDGETS",
    "MODES",
    "Budget",
    "ExternalWeights",
    "budget",
    "checkpoint_dir",
    "choose_device",
    "data_dir",
    "external_weights",
    "home",
    "mode",
    "weights_dir",
]

MODES = ("auto", "smoke", "full")

Budget = Literal["full", "steps", "short"]
BUDGETS: tuple[Budget, ...] = ("full", "steps", "short")
Choice = TypeVar("Choice", bound=str)


class ExternalWeights(NamedTuple):
    """Whose trained weights to use instead of this workbook's, and the file that holds one network's."""

    source: Literal["chenyaofo", "imagenet"]
    file: Path | None = None


def home() -> Path:
    """Return the workbook's folder: ``$LABKIT_HOME``, or the folder that holds the package.

    Raises:
        ValueError: if the variable holds a relative path. Notebooks run in ``labs/`` and the command
            line elsewhere, so a relative path would name two folders.
    """
    chosen = os.environ.get("LABKIT_HOME")
    if not chosen:
        return Path(__file__).resolve().parents[1]
    if not Path(chosen).is_absolute():
        raise ValueError(f"LABKIT_HOME={chosen!r} is a relative path; set it to an absolute path.")
    return Path(chosen).resolve()


def data_dir() -> Path:
    """Return the folder where data sets are built and downloaded (``data/``, git-ignored)."""
    return home() / "data"


def weights_dir() -> Path:
    """Return the folder where weights of others are downloaded (``data/weights/``)."""
    return data_dir() / "weights"


def checkpoint_dir() -> Path:
    """Return the folder of the trained weights and their manifests (``checkpoints/``)."""
    return home() / "checkpoints"


def mode() -> str:
    """Return how checkpoints are obtained, from ``$LABKIT_MODE``: ``auto``, ``smoke`` or ``full``.

    Raises:
        ValueError: if the variable has any other value.
    """
    return _choice("LABKIT_MODE", "mode", MODES)


def external_weights() -> ExternalWeights | None:
    """Return whose weights ``$LABKIT_WEIGHTS`` asks for; None if it is unset.

    ``chenyaofo`` has the dense networks of labs 02 to 09 for CIFAR, ``imagenet`` the backbone of lab 11.
    Anything else is the path of a file (a relative one starts at the workbook's folder): one of
    chenyaofo's if its name begins with ``cifar10_`` or ``cifar100_``, else ImageNet's.

    Raises:
        FileNotFoundError: if the variable names a file that does not exist.
    """
    choice = os.environ.get("LABKIT_WEIGHTS")
    if not choice:
        return None
    if choice == "chenyaofo":
        return ExternalWeights("chenyaofo")
    if choice == "imagenet":
        return ExternalWeights("imagenet")
    file = home() / choice
    if not file.is_file():
        raise FileNotFoundError(
            f"LABKIT_WEIGHTS={choice!r}: there is no file {file}; set it to chenyaofo, to imagenet, or to the "
            "path of a file with such weights."
        )
    public = file.name.startswith(("cifar10_", "cifar100_"))
    return ExternalWeights("chenyaofo" if public else "imagenet", file)


def budget() -> Budget:
    """Return how long networks train on other data than the embedded sets, from ``$LABKIT_BUDGET``.

    ``full`` (the default) is as long as the sources of the labs trained, ``steps`` as many optimizer steps
    as on photodigits, and ``short`` at most 20 minutes per lab on two cores: a first look. The embedded
    sets have one budget, that of the shipped checkpoints, whatever the variable says.

    Raises:
        ValueError: if the variable has any other value.
    """
    return _choice("LABKIT_BUDGET", "budget", BUDGETS)


def _choice(variable: str, kind: str, choices: tuple[Choice, ...]) -> Choice:
    """Return the choice that an environment variable names, the first one if it is unset."""
    value = os.environ.get(variable, choices[0])
    for choice in choices:
        if value == choice:
            return choice
    raise ValueError(f"{variable}={value!r} is not a {kind}; set it to one of {', '.join(choices)}.")


def choose_device() -> torch.device:
    """Return the device to train on: ``$LABKIT_DEVICE`` if set, else CUDA if present, else the CPU.

    Raises:
        ValueError: if the variable names an unknown or absent device.
    """
    import torch

    choice = os.environ.get("LABKIT_DEVICE", "auto")
    if choice not in ("auto", "cpu", "cuda"):
        raise ValueError(f"LABKIT_DEVICE={choice!r} is not a device; set it to auto, cpu or cuda.")
    if choice == "cuda" and not torch.cuda.is_available():
        raise ValueError("LABKIT_DEVICE=cuda, but torch sees no CUDA device; set it to auto or cpu.")
    return torch.device("cuda" if choice != "cpu" and torch.cuda.is_available() else "cpu")
