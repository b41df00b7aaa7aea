"""The profile of a network: everything that is measured, as labs 06 to 09 show it in one row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.models import as_input, device_and_dtype, evaluation_mode, total_sparsity
from labkit.profiling.energy import measure_energy
from labkit.profiling.latency import Latency, measure_latencies, synchronize
from labkit.profiling.macs import count_macs
from labkit.profiling.memory import Memory, measure_memory
from labkit.profiling.size import count_parameters, serialized_bytes

__all__ = ["Profile", "Timing", "profile", "profile_networks"]

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Timing:
    """How a network is timed: images per batch, runs not timed, runs timed, seconds of energy."""

    batch_size: int = 32
    warmup: int = 3
    batches: int = 15
    energy_seconds: float = 0.5


@dataclass(frozen=True)
class Profile:
    """What a network costs; the last five depend on the machine.

    Attributes:
        parameters: of all layers, including biases and batch norm's γ and β.
        nonzero: how many of the parameters are not 0.
        sparsity: share of zeros in the weights of convolutions and linear layers, dense or sparse.
        size_bytes: of the state dict as a file, or the value that the caller passed.
        macs: multiply-accumulates of one image, convolutions and linear layers.
        accuracy: per cent by name, such as ``{"test top-1 (%)": 91.9}``, measured by the caller.
        latency: milliseconds per batch.
        memory: bytes during a forward pass.
        energy: millijoules per batch by domain, or ``"not measurable: <reason>"``.
        batch_size: images per batch.
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
    """Measure everything about ``model`` in evaluation mode, on the device that it is on.

    Args:
        model: left in the mode it was in.
        inputs: a batch ``(n, 3, h, w)``, or a data set, whose first validation images are taken.
        accuracy: per cent by name.
        size_bytes: of its file; by default that of its state dict as safetensors.
        macs: of one image; counted by default, which allows no products but those of convolutions
            and linear layers.
        timing: by default a batch of 32 or the length of ``inputs``, 3 runs of warm-up, 15 timed.

    Raises:
        ValueError: if the batch is empty, or the two ways to count MACs differ.
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
    """:func:`profile` several networks; their latencies are measured in turn, so they are comparable.

    Args:
        networks: by name, all on one device.
        inputs: as for :func:`profile`, the same for all networks or by name.
        accuracy, size_bytes, macs: as for :func:`profile`, by name; names may be missing.
        timing: as for :func:`profile`, the same for all networks.

    Raises:
        ValueError: if there are no networks, a batch is empty, or the two ways to count MACs differ.
    """
    if not networks:
        raise ValueError("there are no networks to profile; pass at least one.")
    timing = timing or Timing()
    device, _ = device_and_dtype(next(iter(networks.values())))
    batches = {
        name: as_input(
            _batch(inputs[name] if isinstance(inputs, Mapping) else inputs, timing.batch_size), model
        )
        for name, model in networks.items()
    }
    if not all(map(len, batches.values())):
        raise ValueError("cannot profile on an empty batch; pass at least one image.")
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
    """Return the function that runs one forward pass and waits until it is done."""

    def run() -> None:
        with torch.inference_mode():
            model(x)
        synchronize(x.device)

    return run


def _batch(inputs: Dataset | Tensor, batch_size: int) -> Tensor:
    """Return a normalized batch."""
    if isinstance(inputs, Tensor):
        return inputs
    return normalize(inputs.validation.images[:batch_size], inputs.mean, inputs.std)
