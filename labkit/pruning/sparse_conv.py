"""A convolution that computes with a masked weight, and keeps the mask in its state dict.

The weight is parametrized (``torch.nn.utils.parametrize``): the optimizer moves the original weight, and
every forward pass computes with ``mask · original``. Leaves out: callbacks that set pruned weights of
ordinary layers to zero (:mod:`labkit.pruning.callbacks`).
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from labkit.environment import keep_random_state
from labkit.models.weights import require_own_weight, require_type, require_untied_weights
from labkit.pruning.granularity import Granularity, granular_mask

__all__ = ["SparseConv2d", "sparse_copy"]


class WeightMask(nn.Module):
    """Parametrization of a weight: zero where the mask is False, the original elsewhere, bit for bit."""

    mask: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", torch.ones_like(weight, dtype=torch.bool))

    def forward(self, original: Tensor) -> Tensor:
        """Map the original weight to the masked one, of the same shape."""
        # subtle: masked_fill would return another memory layout, and its convolution other last bits.
        return torch.where(self.mask, original, 0.0)


class SparseConv2d(nn.Conv2d):
    """A :class:`torch.nn.Conv2d` whose weight is masked; at first the mask keeps everything.

    The state dict holds ``parametrizations.weight.original`` and ``parametrizations.weight.0.mask``, so
    loading it restores the mask as well.

    >>> layer = SparseConv2d(3, 8, 3)
    >>> layer.prune(0.5, "filters")
    >>> int((layer.weight.flatten(1) == 0).all(dim=1).sum())
    4
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Take the arguments of :class:`torch.nn.Conv2d`."""
        super().__init__(*args, **kwargs)
        parametrize.register_parametrization(self, "weight", WeightMask(self.weight))

    @property
    def mask(self) -> Tensor:
        """The mask, bool, of the weight's shape, True where a weight is kept."""
        return self._weight_mask().mask

    @mask.setter
    def mask(self, mask: Tensor) -> None:
        if mask.shape != self.mask.shape or mask.dtype != torch.bool:
            raise ValueError(
                f"a mask must be torch.bool of shape {tuple(self.mask.shape)}, "
                f"got {mask.dtype} of shape {tuple(mask.shape)}."
            )
        self._weight_mask().mask.copy_(mask)

    def prune(self, sparsity: float, granularity: Granularity) -> None:
        """Set the mask to that of :func:`labkit.pruning.granularity.granular_mask` for the masked weight.

        What is masked already has magnitude 0, so it is masked again as long as ``sparsity`` does not fall.
        """
        self.mask = granular_mask(self.weight, sparsity, granularity)

    def _weight_mask(self) -> WeightMask:
        parametrized: Any = self.parametrizations
        mask: WeightMask = parametrized["weight"][0]
        return mask


def sparse_copy(model: nn.Module) -> nn.Module:
    """Return a copy of ``model`` with a :class:`SparseConv2d` of the same weights for every ``nn.Conv2d``.

    Raises:
        ValueError: if a two-dimensional convolution is of a subclass, which may compute something else, or
            computes its weight from other tensors; if two layers share one weight.
    """
    require_untied_weights(model)
    model = copy.deepcopy(model)
    for name, layer in list(model.named_modules()):
        if isinstance(layer, nn.Conv2d):
            require_own_weight(name, layer)
            require_type(name, layer, {nn.Conv2d: None})
            if not name:
                return _sparse(layer)
            model.set_submodule(name, _sparse(layer))
    return model


@keep_random_state()  # the random weights are replaced
def _sparse(layer: nn.Conv2d) -> SparseConv2d:
    """Return the sparse convolution with the parameters of ``layer``."""
    sparse = SparseConv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=layer.bias is not None,
        padding_mode=layer.padding_mode,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
    )
    parametrized: Any = sparse.parametrizations
    with torch.no_grad():
        parametrized["weight"].original.copy_(layer.weight)
        if layer.bias is not None and sparse.bias is not None:
            sparse.bias.copy_(layer.bias)
    return sparse.train(layer.training)
