"""Weight sharing: a layer's weights become indices into a short codebook, and the codebook is trained.

Index 0 stands for pruned zeros: they are never clustered, and no training moves them.
Leaves out: how clusters are found (:mod:`labkit.quantization.kmeans`), and how many bits an index takes
(:mod:`labkit.coding`).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from labkit.models import prunable_weights
from labkit.models.weights import (
    layer_label,
    named_layers,
    require_own_weight,
    require_own_weights,
    require_untied_weights,
)
from labkit.quantization.kmeans import Initialization, kmeans

__all__ = [
    "SharedWeights",
    "owner",
    "share_layers",
    "share_weights",
    "shared_layers",
    "unshare_layers",
    "unshare_weights",
]


@dataclass(frozen=True)
class SharedWeights:
    """A ``codebook`` ``(k + 1,)`` whose first entry is 0, and ``indices`` into it, shaped as the weight.

    Indices are uint8 up to 256 entries, else int32. Entries 1 to k ascend until they are trained.
    """

    codebook: Tensor
    indices: Tensor


class _Codebook(nn.Module):
    """Parametrization of a weight: the parameter is the k trained entries of its codebook.

    The gradient of an entry is the sum of its weights' gradients (Han et al. 2016, section 3.3).
    """

    indices: Tensor

    def __init__(self, indices: Tensor, entries: int) -> None:
        super().__init__()
        self.entries = entries
        self.register_buffer("indices", indices)

    def forward(self, entries: Tensor) -> Tensor:
        """``(k,)`` to the weight's shape."""
        codebook = functional.pad(entries, (1, 0))  # the 0 is a constant: nothing can train it
        return codebook.index_select(0, self.indices.flatten().int()).view(self.indices.shape)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """The mean of each entry's weights ``(k,)``; 0 for an entry that none uses."""
        indices = self.indices.flatten().long()
        sums = indices.bincount(weight.flatten().double(), minlength=self.entries + 1)
        counts = indices.bincount(minlength=self.entries + 1)
        return (sums / counts.clamp(min=1))[1:].to(weight.dtype)


def share_weights(
    weight: Tensor, clusters: int, *, initialization: Initialization = "density", seed: int = 0
) -> SharedWeights:
    """Cluster the nonzero values of ``weight``; zeros keep index 0.

    An index takes one of ``clusters + 1`` values: for b bits with the zero as a symbol ask for
    ``2**b − 1`` clusters, with the zeros in a mask of their own for ``2**b``.

    Args:
        weight: any shape, finite; may be empty or all zero.
        clusters: at least 1; fewer come out where there are fewer distinct values.
        initialization, seed: as in :func:`labkit.quantization.kmeans.kmeans`.

    Raises:
        ValueError: if a weight is NaN or infinite or ``clusters`` is less than 1.

    >>> share_weights(torch.tensor([0.0, 1.0, 3.0, 0.0, 8.0]), 2)
    SharedWeights(codebook=tensor([0., 2., 8.]), indices=tensor([0, 1, 1, 0, 2], dtype=torch.uint8))
    """
    values = weight.detach().cpu()
    values = values.float() if values.dtype == torch.bfloat16 else values  # NumPy has no such type
    kept = values != 0
    result = kmeans(values[kept].numpy(), clusters, initialization=initialization, seed=seed)
    entries = torch.from_numpy(result.centroids).to(weight.dtype)
    indices = torch.zeros(values.shape, dtype=torch.uint8 if len(entries) < 256 else torch.int32)
    # subtle: adding before widening would wrap index 255 around to 0.
    indices[kept] = (torch.from_numpy(result.indices).int() + 1).to(indices.dtype)
    return SharedWeights(functional.pad(entries, (1, 0)).to(weight.device), indices.to(weight.device))


def unshare_weights(shared: SharedWeights) -> Tensor:
    """The weight that :func:`share_weights` approximates: each index replaced by its entry.

    >>> unshare_weights(SharedWeights(torch.tensor([0.0, 0.5]), torch.tensor([[1, 0]])))
    tensor([[0.5000, 0.0000]])
    """
    return shared.codebook[shared.indices.long()]


def share_layers(
    model: nn.Module, clusters: int, *, initialization: Initialization = "density", seed: int = 0
) -> nn.Module:
    """Return a copy of ``model`` in which each convolution and linear layer has a codebook as parameter.

    ``layer.weight`` is computed from it, so any training loop fine-tunes the codebooks. An entry's
    gradient is a sum over many weights, so it needs a far smaller learning rate than weights do.

    Args:
        model: left as it is; its pruned weights stay 0.
        clusters, initialization, seed: as in :func:`share_weights`, for each layer.

    Raises:
        ValueError: if weights are shared already, NaN or infinite, or ``clusters`` is less than 1; if a
            layer computes its weight from other tensors, or two layers have one weight.
    """
    if shared_layers(model):
        raise ValueError("the weights of this model are shared already; call unshare_layers first.")
    require_own_weights(model)
    require_untied_weights(model)
    model = copy.deepcopy(model)
    for name, weight in prunable_weights(model).items():
        shared = share_weights(weight, clusters, initialization=initialization, seed=seed)
        weight.data = unshare_weights(shared)
        codebook = _Codebook(shared.indices, len(shared.codebook) - 1)
        parametrize.register_parametrization(owner(model, name), "weight", codebook)
    return model


def unshare_layers(model: nn.Module) -> nn.Module:
    """A copy of ``model`` with ordinary weights of the same values, and the usual state-dict keys.

    Every parametrization of a weight is undone, such as torch's weight normalization.

    Raises:
        ValueError: if a layer computes its weight in another way, as torch's own pruning does, or
            another of its tensors is parametrized.
    """
    for name, layer in named_layers(model).items():
        if not parametrize.is_parametrized(layer, "weight"):
            require_own_weight(name, layer)
        elif list(layer.parametrizations) != ["weight"]:  # type: ignore[arg-type]
            raise ValueError(f"{layer_label(name, layer)} has a parametrization of more than its weight.")
    model = copy.deepcopy(model)
    for layer in named_layers(model).values():
        if not parametrize.is_parametrized(layer, "weight"):
            continue
        trained = any(original.requires_grad for original in layer.parametrizations.parameters())  # type: ignore[union-attr]
        weight = nn.Parameter(layer.weight.detach().clone(), requires_grad=trained)
        # subtle: a copy has the class of its original, and remove_parametrizations works on the class.
        layer.__class__ = type(layer).__bases__[0]
        del layer.parametrizations
        layer.register_parameter("weight", weight)
    return model


def shared_layers(model: nn.Module) -> dict[str, SharedWeights]:
    """Codebook and indices of every shared weight of ``model`` by the weight's name, as they are now.

    Weights of :func:`labkit.quantization.trained_codebook.cluster_layers` are not among them.
    """
    shared = {}
    for name in prunable_weights(model):
        layer = owner(model, name)
        if parametrize.is_parametrized(layer, "weight"):
            parametrization: Any = layer.parametrizations["weight"]  # type: ignore[index]
            if isinstance(parametrization[0], _Codebook):
                codebook = functional.pad(parametrization.original.detach(), (1, 0))
                shared[name] = SharedWeights(codebook, parametrization[0].indices)
    return shared


def owner(model: nn.Module, weight_name: str) -> nn.Module:
    """The layer that a weight of :func:`prunable_weights` belongs to."""
    return model.get_submodule(weight_name.removesuffix("weight").removesuffix("."))
