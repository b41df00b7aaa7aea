"""One row of the table that labs 06 to 09 share: all that is measured of a network.

Leaves out: how rows are put beside each other (:mod:`labkit.profiling.tables`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.models import evaluation_mode, total_sparsity
from labkit.profiling.energy import measure_energy
from labkit.profiling.latency import Latency, measure_latencies, synchronize
from labkit.profiling.macs import count_macs
from labkit.profiling.memory import Memory, measure_memory
from labkit.profiling.size import count_parameters, serialized_bytes

__all__ = ["Profile", "Timing", "profile", "profile_networks"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Timing:
    """How a network is timed: images a batch, runs not timed, runs timed, seconds of energy."""

    batch_size: int = 32
    warmup: int = 3
    batches: int = 15
    energy_seconds: float = 0.5


@dataclass(frozen=True)
class Profile:
    """What a network costs; the last five depend on the machine.

    Attributes:
        parameters: of all layers, biases and batch norm's γ and β included.
        nonzero: of those, the ones that are not 0.
        sparsity: share of zeros in the weights of convolutions and linear layers, dense or sparse.
        size_bytes: of the state dict in a file, or as the caller gave it.
        macs: multiply-accumulates of one image, convolutions and linear layers.
        accuracy: per cent by name, such as ``{"test top-1 (%)": 91.9}``; the caller's.
        latency: milliseconds a batch.
        memory: bytes during a forward pass.
        energy: millijoules a batch by domain, or ``"not measurable: <reason>"``.
        batch_size: images a batch.
        device: ``cpu`` or ``cuda``.
    """

    parameters: int
    nonzero: int
    sparsity: float
    size_bytes: int
    macs: int
    accuracy: Mapping[str, float]
    latency: Latency
    memory: Memory
    energy: Mapping[str, float | str] = field(default_factory=dict)
    batch_size: int = 1
    device: str = "cpu"

    @property
    def size_mb(self) -> float:
        """Size in megabytes of 10⁶ bytes."""
        return self.size_bytes / 1e6

    @property
    def images_per_second(self) -> float:
        """Throughput at the median latency."""
        return 1000 * self.batch_size / self.latency.median_ms

    @property
    def peak_memory_mb(self) -> float:
        """Weights, input and activations at the peak, in megabytes."""
        return (self.memory.resident + self.memory.peak) / 1e6

    @property
    def average_memory_mb(self) -> float:
        """Weights, input and activations on average over the pass, in megabytes."""
        return (self.memory.resident + self.memory.average) / 1e6


def profile(
    model: nn.Module,
    inputs: Dataset | Tensor,
    *,
    accuracy: Mapping[str, float] | None = None,
    size_bytes: int | None = None,
    macs: int | None = None,
    timing: Timing | None = None,
) -> Profile:
    """Measure everything of ``model`` in evaluation mode, on the device that it is on.

    Args:
        model: its mode is kept.
        inputs: a batch ``(n, 3, h, w)``, or a data set, whose first validation images are taken.
        accuracy: per cent by name; measured elsewhere.
        size_bytes: of its file; None: of its state dict as safetensors.
        macs: of one image; None: counted, which needs ``nn.Conv2d`` and ``nn.Linear`` alone.
        timing: None: a batch of 32, or as long as ``inputs``, 3 runs to warm up, 15 timed.

    Raises:
        ValueError: if the batch is empty, or the two ways to count differ.
    """
    return profile_networks(
        {0: model},
        inputs,
        accuracy={0: accuracy or {}},
        size_bytes={} if size_bytes is None else {0: size_bytes},
        macs={} if macs is None else {0: macs},
        timing=timing,
    )[0]


def profile_networks(
    networks: Mapping[Key, nn.Module],
    inputs: Mapping[Key, Dataset | Tensor] | Dataset | Tensor,
    *,
    accuracy: Mapping[Key, Mapping[str, float]] | None = None,
    size_bytes: Mapping[Key, int] | None = None,
    macs: Mapping[Key, int] | None = None,
    timing: Timing | None = None,
) -> dict[Key, Profile]:
    """:func:`profile` of several networks, whose latencies are measured in turn to be comparable.

    Args:
        networks: by name, all on one device.
        inputs: as for :func:`profile`; one for all, or one by each name.
        accuracy, size_bytes, macs: as for :func:`profile`, by name, where known.
        timing: for each network.

    Raises:
        ValueError: if there are no networks, a batch is empty, or the two ways to count differ.
    """
    if not networks:
        raise ValueError("there are no networks to profile; give at least one.")
    timing = timing or Timing()
    device = next(next(iter(networks.values())).parameters()).device
    batches = {
        name: _batch(inputs[name] if isinstance(inputs, Mapping) else inputs, timing.batch_size).to(device)
        for name in networks
    }
    if not all(map(len, batches.values())):
        raise ValueError("cannot profile on an empty batch; give at least one image.")
    runs = {name: _run(model, batches[name]) for name, model in networks.items()}
    with ExitStack() as modes:
        for model in networks.values():
            modes.enter_context(evaluation_mode(model))
        latencies = measure_latencies(runs, device=device, warmup=timing.warmup, batches=timing.batches)
        energies = {name: measure_energy(run, seconds=timing.energy_seconds) for name, run in runs.items()}
    profiles = {}
    for name, model in networks.items():
        parameters, nonzero = count_parameters(model)
        profiles[name] = Profile(
            parameters=parameters,
            nonzero=nonzero,
            sparsity=total_sparsity(model),
            size_bytes=(size_bytes or {}).get(name) or serialized_bytes(model),
            macs=(macs or {}).get(name) or count_macs(model, batches[name]),
            accuracy=dict((accuracy or {}).get(name, {})),
            latency=latencies[name],
            memory=measure_memory(model, batches[name]),
            energy=energies[name],
            batch_size=len(batches[name]),
            device=device.type,
        )
    return profiles


def _run(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """One forward pass without gradients, done when it returns."""

    def run() -> None:
        with torch.inference_mode():
            model(x)
        synchronize(x.device)

    return run


def _batch(inputs: Dataset | Tensor, batch_size: int) -> Tensor:
    """A batch as a network is fed it."""
    if isinstance(inputs, Tensor):
        return inputs
    return normalize(inputs.validation.images[:batch_size], inputs.mean, inputs.std)
