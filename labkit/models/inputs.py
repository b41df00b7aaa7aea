"""Inputs as a network takes them: on its device, and in its floating-point type."""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn

__all__ = ["as_input", "can_read_at_once", "device_and_dtype"]


def device_and_dtype(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Return the device and the type of the first floating-point parameter, or else buffer.

    A network without any is on the CPU, and takes float32.

    >>> device_and_dtype(nn.Linear(2, 2).half())
    (device(type='cpu'), torch.float16)
    """
    for tensor in chain(model.parameters(), model.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def can_read_at_once(x: Tensor) -> bool:
    """Return whether the values of ``x`` can be looked at without waiting for a GPU to compute them.

    In every forward pass values are checked only where this is so: elsewhere the check would hold up the
    next step, and a wrong value shows as a loss that is NaN, or as an error of the GPU.
    """
    return x.device.type == "cpu"


def as_input(x: Tensor, model: nn.Module) -> Tensor:
    """Return ``x`` on the device of ``model``, and in its type; integers, such as tokens, keep theirs."""
    device, dtype = device_and_dtype(model)
    return x.to(device, dtype) if x.is_floating_point() else x.to(device)
