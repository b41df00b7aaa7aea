"""One row of the table that labs 06 to 09 share: all that is measured of a network.

Leaves out: how rows are put beside each other (:mod:`labkit.profiling.comparison`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.models import evaluation_mode, total_sparsity
from labkit.profiling.energy import measure_energy
from labkit.profiling.latency import Latency, measure_latency, synchronize
from labkit.profiling.macs import count_macs
from labkit.profiling.memory import Memory, measure_memory
from labkit.profiling.size import count_parameters, serialized_bytes

__all__ = ["Profile", "Timing", "profile"]


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
    timing = timing or Timing()
    device = next(model.parameters()).device
    x = _batch(inputs, timing.batch_size).to(device)
    if not len(x):
        raise ValueError("cannot profile on an empty batch; give at least one image.")
    parameters, nonzero = count_parameters(model)

    def run() -> None:
        with torch.inference_mode():
            model(x)

    def run_whole() -> None:
        run()
        synchronize(device)

    with evaluation_mode(model):
        latency = measure_latency(run, device=device, warmup=timing.warmup, batches=timing.batches)
        energy = measure_energy(run_whole, seconds=timing.energy_seconds)
    return Profile(
        parameters=parameters,
        nonzero=nonzero,
        sparsity=total_sparsity(model),
        size_bytes=serialized_bytes(model) if size_bytes is None else size_bytes,
        macs=count_macs(model, x) if macs is None else macs,
        accuracy=dict(accuracy or {}),
        latency=latency,
        memory=measure_memory(model, x),
        energy=energy,
        batch_size=len(x),
        device=device.type,
    )


def _batch(inputs: Dataset | Tensor, batch_size: int) -> Tensor:
    """A batch as a network is fed it."""
    if isinstance(inputs, Tensor):
        return inputs
    return normalize(inputs.validation.images[:batch_size], inputs.mean, inputs.std)
