"""Several processes that train one network together, one for each GPU, as ``torchrun`` starts them.

Each batch is divided among the processes, so its size and the number of steps stay. Every process draws the
same order and augmentation, computes the gradient of its own images, and takes the step by the mean over
all images (DistributedDataParallel). Batch normalization uses the images of its own process, and the
running statistics are those of the first one: SyncBatchNorm would exchange two sums per layer and step,
exists for GPUs only, and would replace modules whose class pruning and quantization look at.

The first process writes files and shows progress. Without torchrun everything here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from labkit import settings

__all__ = [
    "ALONE",
    "Workers",
    "broadcast",
    "current_workers",
    "first_before_others",
    "process_group",
    "sum_over_workers",
    "wait_for_all",
]

PATIENCE = timedelta(hours=12)  # others wait while the first process does something alone


@dataclass(frozen=True)
class Workers:
    """How many processes train together, and which of them this one is, counted from 0."""

    count: int = 1
    rank: int = 0

    @property
    def is_first(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, rows: Tensor) -> Tensor:
        """Return the rows ``(n, …)`` that this process computes; shares differ by at most one row."""
        return rows.tensor_split(self.count)[self.rank] if self.count > 1 else rows

    def parallel(self, model: nn.Module) -> nn.Module:
        """Return what computes the forward pass, so that gradients become means over all processes.

        Parameters and buffers become those of the first process.
        """
        return DistributedDataParallel(model) if self.count > 1 else model

    def require_images(self, smallest_batch: int) -> None:
        """Raise ValueError if a batch has fewer than two images for each process."""
        if self.count > 1 and smallest_batch < 2 * self.count:
            raise ValueError(
                f"a batch of {smallest_batch} images cannot be divided among {self.count} processes, which "
                "need two each; start fewer of them (--nproc_per_node)."
            )


ALONE = Workers()


def current_workers() -> Workers:
    """Return the processes of this one's :func:`process_group`."""
    if not _has_group():
        return ALONE
    return Workers(distributed.get_world_size(), distributed.get_rank())


@contextmanager
def process_group() -> Iterator[None]:
    """Join the processes that torchrun started; each takes the GPU of its number, if there are GPUs."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    uses_gpu = settings.choose_device().type == "cuda"
    if uses_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if uses_gpu else "gloo", timeout=PATIENCE)
    try:
        yield
    finally:
        distributed.destroy_process_group()


def sum_over_workers(values: Tensor) -> Tensor:
    """Return the sum of ``values`` over all processes; alone, ``values`` themselves."""
    if _has_group():
        values = values.clone()
        distributed.all_reduce(values)
    return values


def broadcast(values: Tensor) -> Tensor:
    """Return ``values`` of the first process, in the place of this one's."""
    if _has_group():
        values = values.contiguous()
        distributed.broadcast(values, src=0)
    return values


def wait_for_all() -> None:
    """Wait until every process is here."""
    if _has_group():
        distributed.barrier()


@contextmanager
def first_before_others() -> Iterator[None]:
    """Let the first process do the block, and then the others, which find what it downloaded or wrote."""
    first = current_workers().is_first
    if not first:
        wait_for_all()
    yield
    if first:
        wait_for_all()


def _has_group() -> bool:
    return distributed.is_available() and distributed.is_initialized()
