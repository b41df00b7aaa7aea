"""A network's state dict ↔ the bytes of one file, exactly or compactly.

Exact: every tensor comes back bit for bit, in its own type. Compact: batch normalization is folded to
one scale and one shift per channel, and those, biases and shared values are rounded to half
precision; what comes back is a state dict of the same keys that computes the same up to that
rounding, with the bound in docs/format.md. Leaves out: the file's format (:mod:`labkit.coding.container`),
folding (:mod:`labkit.storage.batch_norm`), and pruning and sharing weights (:mod:`labkit.pruning`,
:mod:`labkit.quantization`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.parameter import is_lazy

from labkit.coding import Clustered, NamedTensor, StoredTensor, encode, read_container
from labkit.coding.header import NAMED_DTYPES, NamedDtype
from labkit.storage.batch_norm import EPSILON, FOLDED, fold, is_kept_exactly, unfold

__all__ = ["MAX_SHARED_VALUES", "pack_state", "unpack_state", "unpack_with_metadata"]

MAX_SHARED_VALUES = 256  # a tensor with more distinct nonzero values is stored as an array
ROUNDED_DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)  # by compact mode


def pack_state(
    state: Mapping[str, Tensor],
    *,
    compact: bool = False,
    bn_epsilon: float | Mapping[str, float] = EPSILON,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Write a state dict as the bytes of a container.

    A tensor of at most 256 distinct nonzero values, as pruning and weight sharing leave them, is
    stored as indices into its values; any other as an array.

    Args:
        state: tensors by name, as ``model.state_dict()`` gives them.
        compact: fold batch normalization, and round all values of 16 bits or more to float16. The
            statistics of a batch normalization that cannot be folded are kept exactly.
        bn_epsilon: for compact, the ε of the network's batch normalization, which a state dict does not
            hold: one number, or one for each layer's name, such as
            ``{name: layer.eps for name, layer in model.named_modules() if hasattr(layer, "eps")}``.
        metadata: text by name that is stored too.

    Raises:
        ValueError: if compact and a value is beyond float16, or a tensor cannot be stored.
        TypeError: if something is not a tensor, or its type is not one that the container holds.

    >>> unpack_state(pack_state({"w": torch.tensor([0.0, 0.5, 0.5, -0.5]).half()}))
    {'w': tensor([ 0.0000,  0.5000,  0.5000, -0.5000], dtype=torch.float16)}
    """
    _refuse_what_is_not_a_state_dict(state)
    reserved = [name for name in state if name.endswith(FOLDED)]
    if reserved:
        raise ValueError(f"{reserved[0]!r} cannot be stored: names do not end in {', '.join(FOLDED)}.")
    tensors = fold(state, bn_epsilon) if compact else state
    return encode({name: _store(name, tensor, compact) for name, tensor in tensors.items()}, metadata)


def unpack_state(data: bytes) -> dict[str, Tensor]:
    """Read the state dict that :func:`pack_state` wrote.

    Exactly stored tensors come back in their own type, rounded ones as float32. A folded batch
    normalization gets mean 0 and variance 1 − ε, so in evaluation mode it computes scale · x + shift.

    Raises:
        FormatError: if the bytes are damaged, or a folded scale has no shift of its size.
        ValueError: if a tensor has a type that the installed PyTorch lacks.
    """
    return unpack_with_metadata(data)[0]


def unpack_with_metadata(data: bytes) -> tuple[dict[str, Tensor], dict[str, str] | None]:
    """Read the state dict, as :func:`unpack_state` does, and the metadata, None if there is none."""
    container = read_container(data)
    state = unfold({name: _restore(stored) for name, stored in container.tensors.items()})
    return state, None if container.metadata is None else dict(container.metadata)


def _refuse_what_is_not_a_state_dict(state: Mapping[str, Tensor]) -> None:
    """Raise TypeError with the remedy for a network, a wrapped checkpoint, or another kind of entry."""
    if isinstance(state, torch.nn.Module):
        raise TypeError("a network cannot be stored, its state dict can: give model.state_dict().")
    for name, value in state.items():
        if isinstance(value, Mapping) and any(isinstance(item, Tensor) for item in value.values()):
            raise TypeError(
                f"this is a checkpoint around a state dict: give what it holds under {name!r}, its tensors."
            )
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise TypeError(
                f"the entry {name!r} is a {type(value).__name__}: a state dict holds tensors by name; "
                "leave out what is not a tensor."
            )


def _store(name: str, tensor: Tensor, compact: bool) -> StoredTensor:
    """What the container stores for one tensor."""
    if tensor.layout != torch.strided:
        raise TypeError(f"{name!r} is {tensor.layout}; convert it with to_dense() first.")
    if tensor.is_meta or is_lazy(tensor):
        raise TypeError(f"{name!r} has no values yet; initialize the network before storing it.")
    if tensor.is_quantized or tensor.is_nested:
        raise TypeError(f"{name!r} is {tensor.dtype}, quantized or nested, which has no stored form.")
    tensor = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous()
    if compact and tensor.dtype in ROUNDED_DTYPES and not is_kept_exactly(name):
        wide = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
        return _share_values(_round_to_half(name, wide.numpy()))
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype in NAMED_DTYPES:
        return NamedTensor(cast(NamedDtype, dtype), _store_bits(tensor, dtype))
    try:
        return _share_values(tensor.numpy())
    except TypeError as error:  # a type that NumPy does not have
        raise TypeError(f"{name!r} is {tensor.dtype}, which has no stored form.") from error


def _store_bits(tensor: Tensor, dtype: str) -> NDArray[np.generic] | Clustered:
    """The bits of each number of a named type, or of each shared value of a 16-bit type."""
    form = NAMED_DTYPES[dtype]
    if tensor.dtype == torch.float16:
        return _share_values(tensor.numpy())
    if tensor.dtype == torch.bfloat16:
        stored = _share_values(tensor.float().numpy())
        if isinstance(stored, Clustered):  # finite values, whose float32 ends in 16 zero bits
            codebook = (stored.codebook.view(np.uint32) >> 16).astype(np.uint16)
            return Clustered(stored.indices, codebook)
    shape = (*tensor.shape, form.items) if form.items > 1 else tuple(tensor.shape)
    return tensor.reshape(-1).view(torch.uint8).numpy().view(form.dtype).reshape(shape)


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
    content = stored.stored if isinstance(stored, NamedTensor) else stored
    array = content.dense() if isinstance(content, Clustered) else content
    if isinstance(stored, NamedTensor):
        form, dtype = NAMED_DTYPES[stored.dtype], getattr(torch, stored.dtype, None)
        if dtype is None:
            raise ValueError(
                f"PyTorch {torch.__version__} has no type {stored.dtype}; install a newer one."
            )
        shape = array.shape[:-1] if form.items > 1 else array.shape
        octets = torch.from_numpy(np.array(array.reshape(-1)).view(np.uint8))
        return octets.view(dtype).reshape(shape)
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
