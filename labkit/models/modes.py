"""The mode of every module, training or evaluation, kept over a block of code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

__all__ = ["evaluation_mode", "keep_modes"]


@contextmanager
def keep_modes(model: nn.Module) -> Iterator[None]:
    """Restore the mode of every module of ``model`` at the end of the block, whatever happens in it."""
    modes = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put ``model`` in evaluation mode; afterwards restore the mode of every module.

    >>> model = nn.Dropout()
    >>> with evaluation_mode(model):
    ...     model.training
    False
    >>> model.training
    True
    """
    with keep_modes(model):
        model.eval()
        yield
