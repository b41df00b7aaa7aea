"""A network's state dict ↔ the bytes of one file, exactly or compactly.

Exact: every tensor comes back bit for bit, in its own type. Compact: batch normalization is folded to
one scale and one shift per channel, and those, biases and shared values are rounded to half
precision; what comes back is a float32 state dict of the same keys that computes the same up to that
rounding. Leaves out: the file's format (:mod:`labkit.coding.container`), and pruning and sharing weights
(:mod:`labkit.pruning`, :mod:`labkit.quantization`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from labkit.coding import Clustered, FormatError, HalfPrecision, StoredTensor, decode, encode

__all__ = ["MAX_SHARED_VALUES", "pack_state", "unpack_state"]

MAX_SHARED_VALUES = 256  # a tensor with more distinct nonzero values is stored as an array
BN_EPSILON = 1e-5  # torch.nn.BatchNorm2d's default, which every model here uses
SCALE, SHIFT = ".folded_scale", ".folded_shift"
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")
BATCH_COUNT = "num_batches_tracked"


def pack_state(state: Mapping[str, Tensor], *, compact: bool = False) -> bytes:
    """Write a state dict as the bytes of a container.

    A tensor of at most 256 distinct nonzero values, as pruning and weight sharing leave them, is
    stored as indices into its values; any other as an array.

    Args:
        state: tensors by name.
        compact: fold batch normalization, and round all floating-point values to float16.

    Raises:
        ValueError: if compact and a value is beyond float16, or a tensor cannot be stored.
        TypeError: if a tensor's type is not one that the container holds.

    >>> unpack_state(pack_state({"w": torch.tensor([0.0, 0.5, 0.5, -0.5]).half()}))
    {'w': tensor([ 0.0000,  0.5000,  0.5000, -0.5000], dtype=torch.float16)}
    """
    reserved = [name for name in state if name.endswith((SCALE, SHIFT))]
    if reserved:
        raise ValueError(f"{reserved[0]!r} cannot be stored: names do not end in {SCALE!r} or {SHIFT!r}.")
    tensors = _fold(state) if compact else state
    return encode({name: _store(name, tensor, compact=compact) for name, tensor in tensors.items()})


def unpack_state(data: bytes) -> dict[str, Tensor]:
    """Read the state dict that :func:`pack_state` wrote.

    Exactly stored tensors come back in their own type, rounded ones as float32. A folded batch
    normalization gets mean 0 and variance 1 − ε, so in evaluation mode it computes scale · x + shift.

    Raises:
        FormatError: if the bytes are damaged, or a folded scale has no shift of its size.
    """
    tensors = {name: _restore(stored) for name, stored in decode(data).items()}
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        layer = name.removesuffix(SCALE).removesuffix(SHIFT)
        if layer == name:
            state[name] = tensor
            continue
        scale, shift = tensors.get(layer + SCALE), tensors.get(layer + SHIFT)
        if scale is None or shift is None or scale.shape != shift.shape:
            raise FormatError(f"{layer!r} needs a folded scale and a folded shift of one shape.")
        state |= _unfold(layer, scale, shift)
    return state


def _fold(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state with a scale and a shift in the place of each batch normalization."""
    suffix = f".{BATCH_NORM[0]}"
    layers = {name.removesuffix(suffix) for name in state if name.endswith(suffix)}
    layers = {layer for layer in layers if all(f"{layer}.{part}" in state for part in BATCH_NORM)}
    folded: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, part = name.rpartition(".")
        if layer not in layers or part not in (*BATCH_NORM, BATCH_COUNT):
            folded[name] = tensor
        elif part == "weight":
            scale = tensor.double() / (state[f"{layer}.running_var"].double() + BN_EPSILON).sqrt()
            shift = state[f"{layer}.bias"].double() - state[f"{layer}.running_mean"].double() * scale
            folded[layer + SCALE], folded[layer + SHIFT] = scale.float(), shift.float()
    return folded


def _unfold(layer: str, scale: Tensor, shift: Tensor) -> dict[str, Tensor]:
    """The state of a batch normalization that computes scale · x + shift."""
    return {
        f"{layer}.weight": scale,
        f"{layer}.bias": shift,
        f"{layer}.running_mean": torch.zeros_like(scale),
        f"{layer}.running_var": torch.full_like(scale, 1 - BN_EPSILON),
        f"{layer}.{BATCH_COUNT}": torch.zeros((), dtype=torch.int64),
    }


def _store(name: str, tensor: Tensor, *, compact: bool) -> StoredTensor:
    """What the container stores for one tensor."""
    if tensor.layout != torch.strided:
        raise TypeError(f"{name!r} is {tensor.layout}; convert it with to_dense() first.")
    tensor = tensor.detach().cpu().contiguous()
    if compact and tensor.is_floating_point():
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return _share_values(_round_to_half(name, wide.numpy()))
    if tensor.dtype == torch.float16:
        return HalfPrecision("float16", _share_values(tensor.numpy()))
    if tensor.dtype == torch.bfloat16:
        return HalfPrecision("bfloat16", _store_bfloat16(tensor))
    try:
        return _share_values(tensor.numpy())
    except TypeError as error:  # a type or a layout that NumPy does not have
        raise TypeError(
            f"{name!r} is {tensor.dtype}, {tensor.layout}, which has no stored form."
        ) from error


def _store_bfloat16(tensor: Tensor) -> NDArray[np.uint16] | Clustered:
    """The bits of each number, or of each shared value."""
    stored = _share_values(tensor.float().numpy())
    if isinstance(stored, Clustered):  # finite values, whose float32 ends in 16 zero bits
        codebook = (stored.codebook.view(np.uint32) >> 16).astype(np.uint16)
        return Clustered(stored.indices, codebook)
    return tensor.view(torch.int16).numpy().view(np.uint16)


def _share_values(array: NDArray[np.generic]) -> NDArray[np.generic] | Clustered:
    """The array as it is, or its few values and each entry's index among them."""
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


def _restore(stored: StoredTensor) -> Tensor:
    """The tensor that :func:`_store` was given; what it rounded, as float32."""
    content = stored.stored if isinstance(stored, HalfPrecision) else stored
    array = content.dense() if isinstance(content, Clustered) else content
    if isinstance(stored, HalfPrecision):
        bits = torch.from_numpy(np.array(array.view(np.int16)))
        return bits.view(torch.float16 if stored.dtype == "float16" else torch.bfloat16)
    tensor = torch.from_numpy(np.array(array))
    return tensor.float() if tensor.dtype == torch.float16 else tensor


def _round_to_half(name: str, array: NDArray[np.floating]) -> NDArray[np.float16]:
    """Rounded to float16, or an error where that would be infinite."""
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if np.isfinite(array).all() and not np.isfinite(half).all():
        largest = np.abs(array).max()
        raise ValueError(
            f"{name!r} holds {largest:.3g}; float16 ends at 65504: compress without --compact."
        )
    return half


def _has_negative_zero(array: NDArray[np.generic]) -> bool:
    """Whether a −0.0 occurs, which an index 0 would not bring back."""
    return bool(np.signbit(array[array == 0]).any())
