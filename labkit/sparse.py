"""Sparse storage: a pruned weight as the coordinates and values it keeps, and layers that hold it so.

A sparse linear layer multiplies in its sparse form; a sparse convolution only *stores* sparsely:
PyTorch has no sparse convolution, so its forward pass builds the dense weight first and saves no time.
Sparse layers are not for training, and PyTorch cannot deep-copy them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from labkit.coding import FormatError, NamedTensor, StoredTensor, decode, encode
from labkit.models import prunable_weights
from labkit.models.weights import (
    Layer,
    layer_label,
    named_layers,
    require_no_hooks,
    require_own_weight,
    require_type,
    require_untied_weights,
)

__all__ = [
    "CooConv1d",
    "CooConv2d",
    "CooConv3d",
    "CooLinear",
    "StorageBytes",
    "coo_mask",
    "count_storage_bytes",
    "pack_sparse",
    "sparsify",
    "to_coo",
    "unpack_sparse",
]

MASK, VALUES = ".mask", ".values"
INDEX_BYTES = 8  # PyTorch's COO indices are int64, whatever the shape


class StorageBytes(NamedTuple):
    """Bytes of weights in four forms: all values; COO; one bit per weight and the kept values; coded.

    Dense, COO and bitmap count no names, shapes or headers; coded is the whole container file of
    :func:`pack_sparse`.
    """

    dense: int
    coo: int
    bitmap: int
    coded: int


def to_coo(weight: Tensor, mask: Tensor | None = None) -> Tensor:
    """Convert a weight to a coalesced sparse COO tensor, coordinates in row-major order.

    Args:
        weight: dense, any shape.
        mask: bool, its shape, True where kept; without one the nonzeros are kept. A kept weight that
            is 0 is stored, so the coordinates are those of the mask.

    Returns:
        sparse, indices ``(ndim, kept)`` int64 and values ``(kept,)``.

    Raises:
        ValueError: if the mask has another shape or type, or a weight outside of it is not 0.

    >>> coo = to_coo(torch.tensor([[0.0, 5.0], [7.0, 0.0]]))
    >>> coo.indices().tolist(), coo.values().tolist()
    ([[0, 1], [1, 0]], [5.0, 7.0])
    """
    kept = weight != 0 if mask is None else mask.to(weight.device)
    if kept.dtype != torch.bool or kept.shape != weight.shape:
        raise ValueError(
            f"a mask is torch.bool of shape {tuple(weight.shape)}, got {kept.dtype} {tuple(kept.shape)}."
        )
    lost = int((weight[~kept] != 0).sum())
    if lost:
        raise ValueError(f"{lost} weights outside the mask are not 0; apply the mask before converting.")
    indices, values = kept.nonzero().T.contiguous(), weight.detach()[kept]
    return torch.sparse_coo_tensor(indices, values, weight.shape, is_coalesced=True, check_invariants=True)


def coo_mask(coo: Tensor) -> Tensor:
    """Return the bool mask of a COO tensor's coordinates, the inverse of :func:`to_coo`.

    >>> coo_mask(to_coo(torch.tensor([[0.0, 5.0], [7.0, 0.0]])))
    tensor([[False,  True],
            [ True, False]])
    """
    mask = torch.zeros(coo.shape, dtype=torch.bool, device=coo.device)
    mask[tuple(coo.coalesce().indices())] = True
    return mask


class _Coo(nn.Module):
    """The common part of both layers: ``weight``, a COO parameter without gradient, and a dense ``bias``."""

    bias: Tensor | None

    def __init__(self, layer: Layer, mask: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(to_coo(layer.weight, mask), requires_grad=False)
        bias = None if layer.bias is None else layer.bias.detach().clone()
        self.register_parameter("bias", None if bias is None else nn.Parameter(bias, requires_grad=False))


class CooLinear(_Coo):
    """``nn.Linear`` that holds its weight in COO form and multiplies with ``torch.sparse.mm``.

    Args:
        layer: the dense layer; not changed.
        mask: as for :func:`to_coo`.
    """

    def __init__(self, layer: nn.Linear, mask: Tensor | None = None) -> None:
        super().__init__(layer, mask)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, in)`` to ``(…, out)``."""
        columns = x.reshape(-1, x.shape[-1]).T  # (in, n)
        out = torch.sparse.mm(self.weight, columns).T  # (n, out)
        out = out if self.bias is None else out + self.bias
        return out.reshape(*x.shape[:-1], len(self.weight))


class _CooConv(_Coo):
    """The common part of sparse convolutions."""

    convolve: Callable[..., Tensor]

    def __init__(self, layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, mask: Tensor | None = None) -> None:
        if layer.padding_mode != "zeros":
            raise ValueError(f"a sparse convolution pads with zeros, not {layer.padding_mode!r}.")
        super().__init__(layer, mask)
        self.stride, self.padding = layer.stride, layer.padding
        self.dilation, self.groups = layer.dilation, layer.groups

    def forward(self, x: Tensor) -> Tensor:
        """``(n, in, …)`` to ``(n, out, …)``."""
        dense = self.weight.to_dense()
        return self.convolve(x, dense, self.bias, self.stride, self.padding, self.dilation, self.groups)


class CooConv1d(_CooConv):
    """:class:`CooConv2d` in one dimension."""

    convolve = staticmethod(functional.conv1d)


class CooConv2d(_CooConv):
    """``nn.Conv2d`` that stores its weight in COO form and makes it dense in every forward pass.

    It saves storage, not time: building the weight comes on top of the dense convolution.

    Args:
        layer: the dense layer, padded with zeros; not changed.
        mask: as for :func:`to_coo`.

    Raises:
        ValueError: if the layer pads with anything but zeros.
    """

    convolve = staticmethod(functional.conv2d)


class CooConv3d(_CooConv):
    """:class:`CooConv2d` in three dimensions."""

    convolve = staticmethod(functional.conv3d)


SPARSE: dict[type[nn.Module], Any] = {
    nn.Conv1d: CooConv1d,
    nn.Conv2d: CooConv2d,
    nn.Conv3d: CooConv3d,
    nn.Linear: CooLinear,
}


def sparsify(model: nn.Module, masks: Mapping[str, Tensor] | None = None) -> nn.Module:
    """Return a copy of ``model`` with every convolution and linear layer stored in COO form.

    Args:
        model: not changed; what it computes stays the same up to rounding.
        masks: by weight name, as ``labkit.pruning`` makes them; without one a layer keeps its nonzeros.

    Raises:
        ValueError: if a mask's name is not that of a weight, or its shape is another; if a layer is a
            transposed convolution or a subclass, pads with anything but zeros or has hooks, or if two
            layers have one weight.
    """
    masks = masks or {}
    unknown = sorted(set(masks) - set(prunable_weights(model)))
    if unknown:
        raise ValueError(
            f"masks {unknown} are not for weights of the model; it has {', '.join(prunable_weights(model))}."
        )
    require_untied_weights(model)
    # subtle: what deepcopy finds in its memo it takes as the copy, wherever the model holds the layer.
    memo: dict[int, Any] = {}
    for name, layer in named_layers(model).items():
        memo[id(layer)] = _sparse_layer(name, layer, masks.get(f"{name}.weight".removeprefix(".")))
    return copy.deepcopy(model, memo)


def count_storage_bytes(weights: Iterable[Tensor]) -> StorageBytes:
    """Count the bytes that dense weights with exact zeros take in each form, without biases and norms.

    COO is larger than dense until the share of zeros exceeds 1 − b / (b + 8·ndim) for values of b
    bytes: 8/9 for the float32 weight of a convolution, 4/5 for that of a linear layer.

    >>> count_storage_bytes([torch.eye(64)])[:3]
    (16384, 1280, 768)
    """
    weights = list(weights)
    dense = coo = bitmap = 0
    for weight in weights:
        kept, size = int((weight != 0).sum()), weight.element_size()
        dense += size * weight.numel()
        coo += (size + INDEX_BYTES * weight.ndim) * kept
        bitmap += math.ceil(weight.numel() / 8) + size * kept
    coded = len(pack_sparse({str(place): weight for place, weight in enumerate(weights)}))
    return StorageBytes(dense, coo, bitmap, coded)


def pack_sparse(weights: Mapping[str, Tensor]) -> bytes:
    """Write the masks and kept values of ``weights``, entropy-coded, as the bytes of one container.

    The mask is coded once, and the kept values beside it. ``state_dict.pack_state`` instead codes the
    zeros in each byte plane of an array, which takes more bytes unless few values are shared.

    Args:
        weights: by name; float32, float16 or bfloat16. A −0.0 comes back as 0.0.
    """
    records: dict[str, StoredTensor] = {}
    for name, weight in weights.items():
        kept = weight.detach().cpu() != 0
        values = weight.detach().cpu()[kept]
        records[name + MASK] = kept.numpy()
        if values.dtype == torch.bfloat16:  # NumPy has no such type
            records[name + VALUES] = NamedTensor(
                "bfloat16", values.view(torch.int16).numpy().view(np.uint16)
            )
        else:
            records[name + VALUES] = values.numpy()
    return encode(records)


def unpack_sparse(data: bytes) -> dict[str, Tensor]:
    """Read the dense weights that :func:`pack_sparse` wrote.

    Raises:
        FormatError: if the bytes are damaged, or are a container of something else.
    """
    records = decode(data)
    weights: dict[str, Tensor] = {}
    for name in (key.removesuffix(MASK) for key in records if key.endswith(MASK)):
        mask, values = records[name + MASK], records.get(name + VALUES)
        bfloat16 = isinstance(values, NamedTensor) and values.dtype == "bfloat16"
        values = values.stored if isinstance(values, NamedTensor) else values
        if not isinstance(mask, np.ndarray) or not isinstance(values, np.ndarray):
            raise FormatError(f"{name!r} is not stored as a mask and values.")
        if mask.dtype != bool or values.shape != (int(mask.sum()),):
            raise FormatError(f"{name!r} keeps {int(mask.sum())} weights, its values are {values.shape}.")
        kept = torch.from_numpy(mask)
        bits = torch.from_numpy(values.view(np.int16) if bfloat16 else values)
        flat = bits.view(torch.bfloat16) if bfloat16 else bits
        weights[name] = torch.zeros(kept.shape, dtype=flat.dtype)
        weights[name][kept] = flat
    if 2 * len(weights) != len(records):
        raise FormatError("the container holds something other than masks and values.")
    return weights


def _sparse_layer(name: str, layer: Layer, mask: Tensor | None) -> nn.Module:
    """The sparse layer that takes the place of ``layer``, in the same mode."""
    if not parametrize.is_parametrized(layer, "weight"):  # subtle: those are up to date whenever read
        require_own_weight(name, layer)
    require_no_hooks(name, layer)
    require_type(name, layer, SPARSE, parametrized=True)
    try:
        sparse = SPARSE[parametrize.type_before_parametrizations(layer)](layer, mask)
    except ValueError as error:
        raise ValueError(f"{layer_label(name, layer)}: {error}") from error
    return sparse.train(layer.training)
