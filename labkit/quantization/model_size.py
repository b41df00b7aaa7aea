"""The size of a quantized model in bytes, and the zeros that rounding makes.

Leaves out: entropy coding (:mod:`labkit.coding`), which makes use of the zeros.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from torch import Tensor, nn

from labkit.models import prunable_weights
from labkit.quantization.affine import count_quantized_bytes
from labkit.quantization.layers import quantized_layers, quantized_weights

__all__ = ["ModelBytes", "SparsityChange", "count_model_bytes", "sparsity_change"]


class ModelBytes(NamedTuple):
    """Bytes of a model's state: packed levels, grids, and what stays in its own dtype.

    ``other`` counts float layers, biases and batch normalization with its buffers. Not included:
    names, shapes, a file header and entropy coding.
    """

    payload: int
    parameters: int
    other: int

    @property
    def total(self) -> int:
        """All three together."""
        return self.payload + self.parameters + self.other


class SparsityChange(NamedTuple):
    """Share of exact zeros among the weights before and after rounding them to the grid."""

    before: float
    after: float


def sparsity_change(model: nn.Module) -> SparsityChange:
    """Measure the share of exact zeros in all weights of ``model``, as trained and as it computes with them.

    Rounding makes new zeros of the weights within half a step of 0.

    >>> layer = nn.Linear(4, 1)
    >>> layer.weight.data = Tensor([[0.0, 0.1, -1.0, 1.0]])
    >>> from labkit.quantization.layers import quantize_layers
    >>> sparsity_change(quantize_layers(layer, bits=2, scheme="symmetric"))
    SparsityChange(before=0.25, after=0.5)
    """
    weights, quantized = prunable_weights(model), quantized_weights(model)
    return SparsityChange(_zero_share(weights.values()), _zero_share(quantized[name] for name in weights))


def count_model_bytes(model: nn.Module) -> ModelBytes:
    """Count the bytes of the state of ``model`` with its quantized weights as packed levels.

    A tensor that the state contains under several names is counted once.

    >>> from labkit.quantization.layers import quantize_layers
    >>> count_model_bytes(quantize_layers(nn.Linear(100, 10), bits=4))
    ModelBytes(payload=500, parameters=5, other=40)
    """
    sizes = {
        id(layer.weight): count_quantized_bytes(layer.weight.numel(), layer.grid())
        for layer in quantized_layers(model).values()
    }
    state = {id(value): value for value in model.state_dict(keep_vars=True).values()}
    return ModelBytes(
        sum(size.payload for size in sizes.values()),
        sum(size.parameters for size in sizes.values()),
        sum(value.nbytes for key, value in state.items() if key not in sizes),
    )


def _zero_share(weights: Iterable[Tensor]) -> float:
    """Zeros among all elements; 0 where there are none."""
    weights = list(weights)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))
