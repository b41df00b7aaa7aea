"""Affine quantization: real numbers on an evenly spaced grid of integers times a scale.

x̂ = scale · (level − zero_point). The zero point is an integer, so 0 is on every grid and a pruned
weight stays exactly 0 (Jacob et al. 2018, section 2.1).
Leaves out: quantized layers (:mod:`labkit.quantization.layers`), and levels that are not evenly spaced
(:mod:`labkit.quantization.kmeans`).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from labkit.models.inputs import can_read_at_once

__all__ = [
    "AffineGrid",
    "QuantizedBytes",
    "Scheme",
    "count_quantized_bytes",
    "dequantize",
    "fake_quantize",
    "fit_grid",
    "quantize",
    "straight_through",
]

Scheme = Literal["asymmetric", "symmetric"]

SCALE_BYTES = 4


@dataclass(frozen=True)
class AffineGrid:
    """An evenly spaced grid: all that a decoder needs besides the levels.

    ``scale`` (float32, > 0) and ``zero_point`` (int32, 0 for a symmetric grid) have shape ``()``,
    or ``(channels, 1, …)`` where every output channel has its own grid.
    """

    scale: Tensor
    zero_point: Tensor
    bits: int
    scheme: Scheme

    @property
    def lowest(self) -> int:
        """The smallest level: 0, or ``−highest`` on a symmetric grid."""
        return 0 if self.scheme == "asymmetric" else -self.highest

    @property
    def highest(self) -> int:
        """The largest level: ``2**bits − 1``, or ``2**(bits − 1) − 1`` on a symmetric grid."""
        return _highest_level(self.bits, self.scheme)


class QuantizedBytes(NamedTuple):
    """Bytes of a quantized tensor: ``payload`` is the levels, packed; ``parameters`` its grid.

    Not included: the tensor's shape, a file header, entropy coding, and the object around the
    array (about 100 bytes in Python).
    """

    payload: int
    parameters: int

    @property
    def total(self) -> int:
        """Payload and parameters together."""
        return self.payload + self.parameters


class _FakeQuantization(torch.autograd.Function):
    """Forward: the quantized value. Backward: as if nothing had happened."""

    @staticmethod
    def forward(_ctx: Any, x: Tensor, bits: int, scheme: Scheme, per_channel: bool) -> Tensor:
        if can_read_at_once(x):
            return fake_quantize(x, bits=bits, scheme=scheme, per_channel=per_channel)
        _require_floating(x, per_channel)
        grid = _fit_grid(x, _require_bits(bits, scheme), scheme, per_channel)
        return dequantize(_quantize(x, grid), grid).to(x.dtype)

    @staticmethod
    def backward(_ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        return grads[0], None, None, None


def fit_grid(
    x: Tensor, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
) -> AffineGrid:
    """Fit the grid that spans the values of ``x`` and 0.

    Asymmetric: from min(x, 0) to max(x, 0) in ``2**bits − 1`` steps. Symmetric: from −max|x| to
    max|x| in ``2**bits − 2`` steps; 2 bits are ternary. Where all values are 0 the scale is 1.

    Args:
        x: any shape, floating, finite; at least one dimension if ``per_channel``.
        bits: 1–16, of Python or NumPy; a symmetric grid needs 2, since its only level at 1 bit would be 0.
        scheme: ``"asymmetric"`` or ``"symmetric"``.
        per_channel: one grid for each ``x[i]`` instead of one for all.

    Raises:
        ValueError: if ``bits``, ``scheme`` or ``x`` is not as above, or its range exceeds float32.

    >>> grid = fit_grid(torch.tensor([-0.5, 0.0, 2.5]), bits=2)
    >>> grid.scale.item(), grid.zero_point.item()
    (1.0, 1)
    """
    bits = _require_bits(bits, scheme)
    _require_floating(x, per_channel)
    _require_finite(x)
    grid = _fit_grid(x, bits, scheme, per_channel)
    if not grid.scale.isfinite().all():
        raise ValueError("the range of the values exceeds float32; divide them by a constant first.")
    return grid


def _fit_grid(x: Tensor, bits: int, scheme: Scheme, per_channel: bool) -> AffineGrid:
    """Fit the grid without looking at the values; a scale may come out infinite or NaN."""
    channels = len(x) if per_channel else 1
    rows = x.detach().reshape(channels, x.numel() // max(1, channels))
    if not rows.shape[1]:
        rows = rows.new_zeros(channels, 1)
    low, high = rows.amin(dim=1).double().clamp(max=0), rows.amax(dim=1).double().clamp(min=0)
    if scheme == "symmetric":
        high = torch.maximum(-low, high)
        low = -high
    steps = _highest_level(bits, scheme) * (1 if scheme == "asymmetric" else 2)
    scale = _round_towards_zero((high - low) / steps)
    # A range below float32's normal numbers counts as empty: the level 0 alone is within scale / 2.
    scale = torch.where(scale < torch.finfo(torch.float32).tiny, 1.0, scale)
    zero_point = torch.zeros_like(low) if scheme == "symmetric" else _round_half_away(-low / scale)
    shape = (channels, *[1] * (x.ndim - 1)) if per_channel else ()
    return AffineGrid(scale.reshape(shape), zero_point.int().reshape(shape), bits, scheme)


def quantize(x: Tensor, grid: AffineGrid) -> Tensor:
    """Round each value to the nearest level of ``grid``, halves away from zero.

    Args:
        x: the shape the grid was fitted to; values beyond the grid become its first or last level.
        grid: of :func:`fit_grid`.

    Returns:
        Integers in [``grid.lowest``, ``grid.highest``], the shape of ``x``: uint8 (int8 if the grid is
        symmetric) up to 8 bits, int32 above.

    Raises:
        ValueError: if ``x`` is not floating or holds NaN or infinite values.

    >>> x = torch.tensor([-0.5, 0.0, 0.9, 2.5])
    >>> quantize(x, fit_grid(x, bits=2))
    tensor([0, 1, 2, 3], dtype=torch.uint8)
    """
    _require_floating(x, per_channel=False)
    _require_finite(x)
    return _quantize(x, grid)


def _quantize(x: Tensor, grid: AffineGrid) -> Tensor:
    """Quantize without looking at the values."""
    levels = _round_half_away(x.detach().double() / grid.scale).add_(grid.zero_point)
    levels = levels.clamp_(grid.lowest, grid.highest)
    if grid.bits > 8:
        return levels.to(torch.int32)
    return levels.to(torch.uint8 if grid.scheme == "asymmetric" else torch.int8)


def dequantize(levels: Tensor, grid: AffineGrid) -> Tensor:
    """Return the values that ``levels`` stand for: float32, one subtraction and one product each.

    For every x in the grid's range |x − dequantize(quantize(x))| ≤ scale / 2, up to float32's rounding.

    >>> grid = AffineGrid(torch.tensor(0.5), torch.tensor(1), bits=2, scheme="asymmetric")
    >>> dequantize(torch.tensor([0, 1, 2, 3]), grid)
    tensor([-0.5000,  0.0000,  0.5000,  1.0000])
    """
    return (levels.to(torch.int32) - grid.zero_point).float().mul_(grid.scale)


def fake_quantize(
    x: Tensor, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
) -> Tensor:
    """Round ``x`` to the grid that fits it, in its own dtype; zeros stay exactly 0.

    The operation is idempotent. Arguments and errors are those of :func:`fit_grid`.

    >>> fake_quantize(torch.tensor([-1.0, -0.2, 0.0, 0.7]), bits=2, scheme="symmetric")
    tensor([-1.,  0.,  0.,  1.])
    """
    grid = fit_grid(x, bits=bits, scheme=scheme, per_channel=per_channel)
    return dequantize(quantize(x, grid), grid).to(x.dtype)


def straight_through(
    x: Tensor, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
) -> Tensor:
    """:func:`fake_quantize` whose gradient is that of the identity (Bengio et al. 2013, section 3).

    The true gradient is 0 almost everywhere and would teach nothing.

    >>> x = torch.tensor([0.1, 0.9], requires_grad=True)
    >>> (straight_through(x, bits=1) * torch.tensor([2.0, 3.0])).sum().backward()
    >>> x.grad
    tensor([2., 3.])
    """
    return _FakeQuantization.apply(x, bits, scheme, per_channel)


def count_quantized_bytes(element_count: int, grid: AffineGrid) -> QuantizedBytes:
    """Count the bytes that ``element_count`` levels of ``grid`` take when they are packed without gaps.

    A scale takes 4 bytes, an asymmetric grid's zero point as many as a level needs.

    >>> count_quantized_bytes(1000, fit_grid(torch.randn(1000), bits=4))
    QuantizedBytes(payload=500, parameters=5)
    """
    zero_point_bytes = -(-grid.bits // 8) if grid.scheme == "asymmetric" else 0
    return QuantizedBytes(
        -(-element_count * grid.bits // 8), grid.scale.numel() * (SCALE_BYTES + zero_point_bytes)
    )


def _highest_level(bits: int, scheme: Scheme) -> int:
    """The largest level of a grid."""
    return 2**bits - 1 if scheme == "asymmetric" else 2 ** (bits - 1) - 1


def _require_bits(bits: int, scheme: Scheme) -> int:
    """``bits`` as Python's int, which does not overflow as NumPy's do; raises unless there are two levels."""
    if scheme not in ("asymmetric", "symmetric"):
        raise ValueError(f"scheme must be 'asymmetric' or 'symmetric', got {scheme!r}.")
    if isinstance(bits, bool) or not isinstance(bits, Integral) or not 1 <= bits <= 16:
        raise ValueError(f"bits must be an integer from 1 to 16, got {bits!r}.")
    if scheme == "symmetric" and bits == 1:
        raise ValueError("a symmetric grid of 1 bit has only the level 0; use 2 bits or asymmetric.")
    return int(bits)


def _require_floating(x: Tensor, per_channel: bool) -> None:
    """Raise unless ``x`` is of a kind that can be quantized."""
    if not x.is_floating_point():
        raise ValueError(f"only floating-point tensors can be quantized, got {x.dtype}; convert it first.")
    if per_channel and x.ndim == 0:
        raise ValueError("per_channel needs a tensor of at least one dimension, got a number.")


def _require_finite(x: Tensor) -> None:
    """Raise if a value is NaN or infinite."""
    broken = x.numel() - int(x.isfinite().sum())
    if broken:
        raise ValueError(f"cannot quantize: {broken} of {x.numel()} values are NaN or infinite.")


def _round_towards_zero(exact: Tensor) -> Tensor:
    """float64 to float32, never upwards; infinite where float32 has no such number.

    subtle: with a scale rounded up the largest value could miss the last level, and quantizing
    twice would then shrink the range.
    """
    rounded = exact.float()
    down = torch.nextafter(rounded, torch.zeros_like(rounded))
    return torch.where((rounded > exact) & rounded.isfinite(), down, rounded)


def _round_half_away(x: Tensor) -> Tensor:
    """Nearest integer, halves away from zero: odd like x itself, and no extreme is rounded inwards."""
    return x.sign().div_(2).add_(x).trunc_()
