"""The state of a training run as a file, from which an interrupted run continues."""

from __future__ import annotations

import copy
import io
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import nn

from labkit.data import Dataset
from labkit.files import write_atomically
from labkit.training.config import EpochRecord, TrainConfig, records_from_json, records_to_json

__all__ = ["restore_state", "save_state"]

Facts = Mapping[str, str | int | float | None]


def save_state(
    path: Path,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    records: list[EpochRecord],
    config: TrainConfig,
    dataset: Dataset,
) -> None:
    """Write the state that an interrupted run needs, atomically."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "records": records_to_json(records),
        "run": _facts(config, dataset),
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_atomically(path, buffer.getvalue())


def restore_state(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, config: TrainConfig, dataset: Dataset
) -> list[EpochRecord]:
    """Restore the state that :func:`save_state` wrote; return the records up to there.

    Raises:
        ValueError: if the file is damaged, or belongs to another model, configuration or data set; the
            model stays as it is then.
    """
    weights = copy.deepcopy(model.state_dict())
    try:
        state = torch.load(path, map_location=next(model.parameters()).device, weights_only=True)
        differences = _differences(state["run"], _facts(config, dataset))
        if not differences:
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            return records_from_json(state["records"])
    except (OSError, EOFError, UnpicklingError, RuntimeError, ValueError, TypeError, KeyError) as error:
        model.load_state_dict(weights)  # subtle: torch loads what fits before it refuses the rest
        raise ValueError(
            f"{path} is not a state of this training run ({type(error).__name__}); "
            "delete it to start again."
        ) from error
    raise ValueError(
        f"{path} is the state of another training run: {differences}. "
        "Ask for what the file has to continue that run, or delete it to start again."
    )


def _facts(config: TrainConfig, dataset: Dataset) -> Facts:
    """Return the hyperparameters, the name of the data set, and how many images an epoch draws."""
    return {**asdict(config), "dataset": dataset.name, "epoch_images": dataset.epoch_images}


def _differences(saved: Facts, asked: Facts) -> str:
    """Return, for each fact that differs, what the file has and what was asked for; empty if none does."""
    return ", ".join(
        f"{name} is {saved.get(name)!r} in the file, but {value!r} was asked for"
        for name, value in asked.items()
        if saved.get(name) != value
    )
