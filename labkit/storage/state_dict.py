"""A network's state dict ↔ the bytes of one file, exactly or compactly.

Exact: every tensor comes back bit for bit. Compact: batch normalization is folded to a scale and a
shift a channel, and those, biases and shared values are rounded to half precision; what comes back
is a state dict of the same keys that computes the same up to that rounding.
Leaves out: the file's format (coding.container), and making weights few and equal (clustering).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labkit.coding.container import Clustered, Record, decode, encode

__all__ = ["MAX_SHARED_VALUES", "pack_state", "unpack_state"]

MAX_SHARED_VALUES = 256  # a tensor with more distinct nonzero values is stored as an array
BN_EPSILON = 1e-5  # torch.nn.BatchNorm2d's default, which every model here uses
SCALE, SHIFT = ".folded_scale", ".folded_shift"
BATCH_NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


def pack_state(state: Mapping[str, Tensor], *, compact: bool = False) -> bytes:
    """Write a state dict as the bytes of a container.

    A tensor of at most 256 distinct nonzero values, as pruning and weight sharing leave them, is
    stored as indices into its values; any other as it is.

    Args:
        state: tensors by name.
        compact: fold batch normalization, and round what is left in floating point to float16.

    Raises:
        ValueError: if compact and a value is beyond float16, or a tensor cannot be stored.
        TypeError: if a tensor's type is not one that the container holds.

    >>> unpack_state(pack_state({"w": torch.tensor([0.0, 0.5, 0.5, -0.5])}))
    {'w': tensor([ 0.0000,  0.5000,  0.5000, -0.5000])}
    """
    tensors = _fold(state) if compact else dict(state)
    return encode({name: _record(name, tensor, compact) for name, tensor in tensors.items()})


def unpack_state(data: bytes) -> dict[str, Tensor]:
    """The state dict that :func:`pack_state` wrote; floating point of 16 bits comes back as float32.

    A folded batch normalization gets mean 0 and the variance 1 − ε, so that what it computes in
    evaluation mode is scale · x + shift.

    Raises:
        FormatError: if the bytes are damaged.
    """
    state: dict[str, Tensor] = {}
    for name, record in decode(data).items():
        array = record.dense() if isinstance(record, Clustered) else record
        tensor = torch.from_numpy(np.array(array))
        tensor = tensor.float() if tensor.dtype == torch.float16 else tensor
        if name.endswith(SCALE):
            state |= _unfolded(name.removesuffix(SCALE), tensor)
        elif name.endswith(SHIFT):
            state[f"{name.removesuffix(SHIFT)}.bias"] = tensor
        else:
            state[name] = tensor
    return state


def _fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with a scale and a shift in the place of each batch normalization."""
    folded: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, kind = name.rpartition(".")
        if f"{layer}.running_var" not in state or kind not in BATCH_NORM:
            folded[name] = tensor
        elif kind == "weight":
            scale = tensor.double() / (state[f"{layer}.running_var"].double() + BN_EPSILON).sqrt()
            shift = state[f"{layer}.bias"].double() - state[f"{layer}.running_mean"].double() * scale
            folded[layer + SCALE], folded[layer + SHIFT] = scale.float(), shift.float()
    return folded


def _unfolded(layer: str, scale: Tensor) -> dict[str, Tensor]:
    """The batch normalization whose scale is ``scale``; its bias follows."""
    return {
        f"{layer}.weight": scale,
        f"{layer}.bias": torch.zeros_like(scale),
        f"{layer}.running_mean": torch.zeros_like(scale),
        f"{layer}.running_var": torch.full_like(scale, 1 - BN_EPSILON),
        f"{layer}.num_batches_tracked": torch.zeros((), dtype=torch.int64),
    }


def _record(name: str, tensor: Tensor, compact: bool) -> Record:
    """What the container stores for one tensor."""
    array = tensor.detach().cpu().contiguous().numpy()
    if compact and array.dtype.kind == "f":
        array = _to_half(name, array)
    if array.dtype not in (np.float16, np.float32) or _has_negative_zero(array):
        return array
    # subtle: NumPy 2.4 sorts float16 wrongly on some processors; float32 holds every one exactly.
    wide = array.astype(np.float32)
    values = np.unique(wide[wide != 0])
    if len(values) > MAX_SHARED_VALUES or 2 * len(values) > array.size or not np.isfinite(values).all():
        return array
    # subtle: searchsorted finds every nonzero exactly; a zero's place is overwritten.
    indices = np.where(wide == 0, 0, values.searchsorted(wide) + 1)
    return Clustered(indices, values.astype(array.dtype))


def _to_half(name: str, array: NDArray[np.floating]) -> NDArray[np.float16]:
    """Rounded to float16, or an error where that would be infinite."""
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if np.isfinite(array).all() and not np.isfinite(half).all():
        largest = np.abs(array).max()
        raise ValueError(f"{name!r} holds {largest:.3g}; float16 ends at 65504: pack without --compact.")
    return half


def _has_negative_zero(array: NDArray[np.floating]) -> bool:
    """Whether a −0.0 occurs, which an index 0 would not bring back."""
    return bool(np.signbit(array[array == 0]).any())
