"""How large a network is: its parameters, how many are 0, and the bytes of its tensors as a file.

Leaves out: compressed files (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

from collections.abc import Iterator

from safetensors.torch import save
from torch import Tensor, nn

from labkit.models import count_nonzero

__all__ = ["count_parameters", "serialized_bytes"]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """All parameters and the nonzero ones; biases and batch norm's γ and β count, its buffers do not.

    A sparse parameter counts as the dense one that it stands for.

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
    """Bytes of the state dict as a safetensors file: parameters, buffers and the header with names.

    Each tensor in the type it has; of a sparse COO tensor its indices (int64) and its values.

    >>> serialized_bytes(nn.Linear(3, 2)) - 4 * 8 < 200  # 8 numbers of 4 bytes, and a header
    True
    """
    tensors = dict(_stored_tensors(model))
    return len(save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}))


def _stored_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a file holds; a sparse tensor is two dense ones."""
    for name, tensor in model.state_dict().items():
        if tensor.is_sparse:
            yield f"{name}.indices", tensor.coalesce().indices()
            yield f"{name}.values", tensor.coalesce().values()
        else:
            yield name, tensor
