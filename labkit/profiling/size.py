"""How large a network is: its parameters, how many are 0, and the bytes of its tensors as a file.

Leaves out: compressed files (:mod:`labkit.coding.container`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from safetensors.torch import save
from torch import Tensor, nn

from labkit.models import prunable_weights

__all__ = ["count_parameters", "serialized_bytes", "weight_sparsity"]


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
        nonzero += _count_nonzero(parameter)
    return total, nonzero


def weight_sparsity(model: nn.Module) -> float:
    """Share of zeros in the weights of convolutions and linear layers and in sparse parameters.

    Biases and batch norm are not counted; it is 0 without such weights.

    >>> layer = nn.Linear(4, 1)
    >>> layer.weight = nn.Parameter(torch.tensor([[0.0, 5.0, 0.0, 0.0]]).to_sparse())
    >>> weight_sparsity(layer)
    0.75
    """
    sparse = {name: weight for name, weight in model.named_parameters() if weight.is_sparse}
    weights = {**prunable_weights(model), **sparse}.values()
    total = sum(weight.numel() for weight in weights)
    return 1 - sum(_count_nonzero(weight) for weight in weights) / total if total else 0.0


def serialized_bytes(model: nn.Module) -> int:
    """Bytes of the state dict as a safetensors file: parameters, buffers and the header with names.

    Each tensor in the type it has; of a sparse COO tensor its indices (int64) and its values.

    >>> serialized_bytes(nn.Linear(3, 2)) - 4 * 8 < 200  # 8 numbers of 4 bytes, and a header
    True
    """
    tensors = dict(_stored_tensors(model))
    return len(save({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}))


def _count_nonzero(weight: Tensor) -> int:
    """How many values are not 0; a sparse tensor stores the others nowhere."""
    values = weight.detach()
    return int(torch.count_nonzero(values.coalesce().values() if values.is_sparse else values))


def _stored_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """What a file holds; a sparse tensor is two dense ones."""
    for name, tensor in model.state_dict().items():
        if tensor.is_sparse:
            yield f"{name}.indices", tensor.coalesce().indices()
            yield f"{name}.values", tensor.coalesce().values()
        else:
            yield name, tensor
