"""Imitate another processor's arithmetic: change the results of convolutions and linear layers slightly.

With another instruction set or thread count, the terms of a sum are added in another order. Here each
output is multiplied by 1 + 1e-6 · sin(10⁶ · output) instead. That is up to eight units in the last place
of float32, more than the differences between real processors. Float64 is changed by eight of its own
units, and 16-bit types are not changed, since their rounding hides a change of that size.
Leaves out: the runs that use it (:mod:`labkit.course.portability`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["perturb_arithmetic", "perturbed"]

RELATIVE_SIZE = 1e-6  # of float32; other types in proportion to their precision
LAYERS = ("conv1d", "conv2d", "conv3d", "linear")


def perturb_arithmetic() -> None:
    """Perturb the layers of ``torch.nn.functional`` in this process from now on."""
    for name in LAYERS:
        layer = getattr(functional, name)
        if not hasattr(layer, "__wrapped__"):
            setattr(functional, name, _perturbed_layer(layer))


def perturbed(output: Tensor) -> Tensor:
    """Return ``output`` changed by a few units in the last place; equal values change equally.

    So the result does not depend on how images are batched, and a second evaluation gives the same.

    >>> x = torch.tensor([0.0, 1.0, 2.0])
    >>> y = perturbed(x)
    >>> float(y[0]), bool((y[1:] != x[1:]).all()), torch.allclose(x, y, rtol=2e-6)
    (0.0, True, True)
    """
    if output.dtype not in (torch.float32, torch.float64):
        return output
    precision = torch.finfo(output.dtype).eps / torch.finfo(torch.float32).eps
    # subtle: the noise is a constant to autograd, since its own slope would be 10⁶ times its size.
    return output * (1 + RELATIVE_SIZE * precision * torch.sin(1e6 * output.detach()))


def _perturbed_layer(layer: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a layer whose output is :func:`perturbed`."""

    @wraps(layer)
    def perturb_output(*args: object, **options: object) -> Tensor:
        output = layer(*args, **options)
        traced = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        return output if traced else perturbed(output)  # a tracer counts operations

    return perturb_output
