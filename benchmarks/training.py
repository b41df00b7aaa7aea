"""Benchmark of training throughput of ResNet-20: labkit's loop against a plain PyTorch loop.

Throughput is images per second through complete training steps (load, augment, forward, backward, SGD)
with batches of 128 training images of photodigits10. The loops take turns in one process, ``--rounds``
times. The first two steps of each turn are not timed, since they start workers and choose kernels. A
row gives the median and range of its turns. Every loop trains the same network with the same optimizer
and augmentation (random crop with padding 4). The plain loop reads its loss after every step, as tutorials
do; on a GPU the other does not, so the clock waits for the GPU before the first and after the last timed step.

  plain     torchvision's CIFAR10 class over the same images, PIL transforms, DataLoader, float32
  labkit    the step of labkit.training.fit, in float32 and with its default, bf16 autocast where the
            hardware has it; images in memory, augmented as a batch, channels last

A second table says in which operators labkit's default spends its processor time. Evaluation is not timed.
Run on an otherwise idle machine:

    python benchmarks/training.py [--rounds N] [--steps N]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from unittest import mock

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import CIFAR10, VisionDataset

from labkit import settings
from labkit.data import Dataset, load_dataset
from labkit.environment import environment_stamp, has_fast_bf16
from labkit.models import ResNet20
from labkit.profiling.operators import operator_table
from labkit.tables import table_bundle
from labkit.training import Callback, TrainConfig, fit

UNTIMED_STEPS = 2
PROFILED_STEPS = 5
OPERATORS = 8  # rows of the second table
CONFIG = TrainConfig(batch_size=128, peak_lr=0.1)


class EnoughSteps(Exception):
    """Raised to end a training loop after the timed steps."""


class StepClock(Callback):
    """Callback that records the time after every step and ends the loop after ``steps`` steps."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.times: list[float] = []

    def after_step(self, model: nn.Module) -> None:  # noqa: ARG002
        """Record the time, at the ends of the timed steps when nothing is still running on a GPU."""
        if settings.choose_device().type == "cuda" and len(self.times) + 1 in (UNTIMED_STEPS, self.steps):
            torch.cuda.synchronize()
        self.times.append(time.perf_counter())
        if len(self.times) == self.steps:
            raise EnoughSteps

    def images_per_second(self) -> float:
        """Return the throughput of the timed steps."""
        timed = self.times[UNTIMED_STEPS - 1 :]
        return CONFIG.batch_size * (len(timed) - 1) / (timed[-1] - timed[0])


class ImagesAsCifar10(CIFAR10):
    """torchvision's CIFAR10 over the images of a data set, with its PIL conversion of each image."""

    def __init__(self, dataset: Dataset, transform: Callable[..., object]) -> None:
        VisionDataset.__init__(self, "", transform=transform)  # no files to read
        self.data = dataset.train.images.permute(0, 2, 3, 1).contiguous().numpy()
        self.targets = dataset.train.labels.tolist()


def plain_loop(dataset: Dataset, steps: int, *, workers: int) -> float:
    """Return images per second of the loop that most tutorials write."""
    torch.manual_seed(0)
    device, clock = settings.choose_device(), StepClock(steps)
    transform = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=4),
            transforms.ToTensor(),
            transforms.Normalize(dataset.mean, dataset.std),
        ]
    )
    images = ImagesAsCifar10(dataset, transform)
    loader = DataLoader(images, CONFIG.batch_size, shuffle=True, drop_last=True, num_workers=workers)
    model = ResNet20(len(dataset.classes)).to(device).train()
    optimizer = torch.optim.SGD(
        model.parameters(), CONFIG.peak_lr, CONFIG.momentum, weight_decay=CONFIG.weight_decay, nesterov=True
    )
    with suppress(EnoughSteps):
        for inputs, labels in loader:
            loss = functional.cross_entropy(model(inputs.to(device)), labels.to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()
            clock.after_step(model)
    return clock.images_per_second()


def labkit_loop(dataset: Dataset, steps: int, *, bf16: bool) -> float:
    """Return images per second of the step of :func:`labkit.training.fit`."""
    torch.manual_seed(0)
    clock, model = StepClock(steps), ResNet20(len(dataset.classes))
    fast = bf16 and has_fast_bf16(settings.choose_device())
    with mock.patch("labkit.training.loop.has_fast_bf16", return_value=fast), suppress(EnoughSteps):
        fit(model, dataset, CONFIG, callback=clock, progress=False)
    return clock.images_per_second()


def operator_shares(dataset: Dataset) -> list[tuple[str, float]]:
    """Return the operators in which labkit's steps spend most processor time, with their per cent of it."""
    table = operator_table(partial(labkit_loop, dataset, PROFILED_STEPS, bf16=True), warmup=0)
    total = sum(entry.self_ms for entry in table)
    return [(entry.name, 100 * entry.self_ms / total) for entry in table[:OPERATORS]]


def main() -> None:
    """Measure, then print two tables."""
    parser = argparse.ArgumentParser(
        description="ResNet-20 training throughput compared with a plain loop."
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each loop (default: 5)")
    parser.add_argument("--steps", type=int, default=22, help="steps per turn, two of them untimed")
    options = parser.parse_args()
    dataset = load_dataset(10)
    if options.rounds < 1 or not UNTIMED_STEPS < options.steps <= dataset.train.size // CONFIG.batch_size:
        parser.error("rounds must be at least 1, steps at least 3 and at most the steps of an epoch")
    loops: dict[str, Callable[[Dataset, int], float]] = {
        "plain, float32, DataLoader with 0 workers": partial(plain_loop, workers=0),
        "plain, float32, DataLoader with 2 workers": partial(plain_loop, workers=2),
        "labkit, float32": partial(labkit_loop, bf16=False),
        "labkit": partial(labkit_loop, bf16=True),
    }
    speeds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(options.rounds):
        for name, loop in loops.items():
            speeds[name].append(loop(dataset, options.steps))
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    best_plain = max(value for name, value in medians.items() if name.startswith("plain"))
    rows = [
        [name, round(medians[name]), round(min(values)), round(max(values)), medians[name] / best_plain]
        for name, values in speeds.items()
    ]
    columns = ["loop", "images/s (median)", "min", "max", "times the faster plain loop"]
    title = (
        f"ResNet-20 training, {dataset.name}, {options.rounds} rounds of {options.steps - 2} timed steps"
    )
    print(table_bundle(title, columns, rows)["text/plain"])
    shares = [list(row) for row in operator_shares(dataset)]
    title = "Where labkit's steps spend their time on the CPU"
    print(table_bundle(title, ["operator", "share (%)"], shares, digits=1)["text/plain"])
    print("; ".join(f"{name} {value}" for name, value in environment_stamp().items()))


if __name__ == "__main__":
    main()
