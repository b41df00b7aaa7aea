"""Estimate the running statistics of batch norm again, and keep them as they were.

After a network is cut, the means and variances that it remembers are those of another network.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["Statistics", "batch_statistics", "copy_statistics", "restore_statistics", "tracking_norms"]

Statistics = list[dict[str, Tensor]]  # the buffers of each layer, by name


def tracking_norms(modules: Iterable[nn.Module]) -> list[_BatchNorm]:
    """Return the batch norms among ``modules`` and in them that keep running statistics."""
    inner = (part for module in modules for part in module.modules())
    return [part for part in inner if isinstance(part, _BatchNorm) and part.track_running_stats]


@contextmanager
def batch_statistics(norms: Sequence[_BatchNorm], *, update: bool) -> Iterator[None]:
    """Let ``norms`` use the statistics of each batch; with ``update`` their average is kept afterwards.

    At the end of the block the layers are in evaluation mode, and their momenta are as they were.
    """
    kept = [(norm.momentum, norm.track_running_stats) for norm in norms]
    for norm in norms:
        if update:
            norm.reset_running_stats()
        norm.train()
        norm.momentum = None  # the plain average of all batches
        norm.track_running_stats = update
    try:
        yield
    finally:
        for norm, (momentum, tracks) in zip(norms, kept, strict=True):
            norm.eval()
            norm.momentum, norm.track_running_stats = momentum, tracks


def copy_statistics(norms: Iterable[_BatchNorm]) -> Statistics:
    """Return copies of the buffers of ``norms``."""
    return [{name: value.clone() for name, value in norm.named_buffers()} for norm in norms]


def restore_statistics(norms: Sequence[_BatchNorm], statistics: Statistics) -> None:
    """Set the buffers of ``norms`` to those that :func:`copy_statistics` returned."""
    for norm, values in zip(norms, statistics, strict=True):
        for name, value in values.items():
            norm.get_buffer(name).copy_(value)
