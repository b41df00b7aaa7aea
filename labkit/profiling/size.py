"""The size of a network: its parameters, how many are not 0, and the bytes of its state dict as a file.

The size of compressed files is that of the file; see :mod:`labkit.coding.container`.
"""

from __future__ import annotations

from collections.abc import Iterator

from safetensors.torch import save
from torch import Tensor, nn

from labkit.models import count_nonzero

__all__ = ["count_parameters", "serialized_bytes"]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return the number of all parameters and of the nonzero ones.

    Biases and batch norm's γ and β count, buffers do not. A sparse parameter counts like the dense
    parameter that it represents.

    >>> layer = nn.Linear(3, 2)
    >>> _ = nn.init.zeros_(layer.weight), nn.init.ones_(layer.bias)
    >>> count_parameters(layer)
    (8, 2)
    """
    total = nonzero = 0
    for parameter in model.parameters():
        total += parameter.numel()
        nonzero += count_nonzero(parameter)
    return total, nonzero


def serialized_bytes(model: nn.Module) -> int:
    """Return the bytes of the state dict as a safetensors file: parameters, buffers and the header.

    Each tensor keeps its type; a sparse COO tensor is stored as indices (int64) and values. A tensor under
    several names is stored once, as safetensors' ``save_model`` does.

    >>> serialized_bytes(nn.Linear(3, 2)) - 4 * 8 < 200  # 8 numbers of 4 bytes, and a header
    True
    """
    tensors = dict(_stored_tensors(model))
    return len(save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}))


def _stored_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors that a file contains; a sparse tensor becomes two dense ones."""
    stored: set[int] = set()
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) in stored:
            continue
        stored.add(id(tensor))
        if tensor.is_sparse:
            yield f"{name}.indices", tensor.coalesce().indices()
            yield f"{name}.values", tensor.coalesce().values()
        else:
            yield name, tensor
