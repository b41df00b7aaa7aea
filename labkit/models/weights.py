"""The layers of a network whose weights may be pruned or quantized, and how many weights are zero.

These are convolutions of one to three dimensions, transposed or not, and linear layers. Weights of
embeddings, recurrent and attention modules are not among them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

__all__ = [
    "Layer",
    "count_nonzero",
    "has_hooks",
    "layer_label",
    "named_layers",
    "prunable_weights",
    "require_no_hooks",
    "require_own_weight",
    "require_own_weights",
    "require_type",
    "require_untied_weights",
    "total_sparsity",
]

Layer = (
    nn.Conv1d
    | nn.Conv2d
    | nn.Conv3d
    | nn.ConvTranspose1d
    | nn.ConvTranspose2d
    | nn.ConvTranspose3d
    | nn.Linear
)


def named_layers(model: nn.Module, *, every_name: bool = False) -> dict[str, Layer]:
    """Return the convolutions and linear layers by name, in the model's order.

    Args:
        model: any network.
        every_name: whether a layer that the model holds under several names occurs under each of them,
            or under the first one only.

    Raises:
        ValueError: if a layer has no weight yet, because it is initialized by its first input.
    """
    layers = {
        name: module
        for name, module in model.named_modules(remove_duplicate=not every_name)
        if isinstance(module, Layer)
    }
    for name, layer in layers.items():
        if isinstance(layer._parameters.get("weight"), UninitializedParameter):
            raise ValueError(f"{layer_label(name, layer)} has no weight before its first forward pass.")
    return layers


def prunable_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of convolutions and linear layers by name, in the model's order.

    Biases and the parameters of batch normalization are not included; they are never pruned. A weight that
    several layers share occurs once, under its first name.

    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    >>> {name: tuple(weight.shape) for name, weight in prunable_weights(model).items()}
    {'0.weight': (8, 3, 3, 3)}
    """
    weights: dict[int, tuple[str, Tensor]] = {}
    for name, layer in named_layers(model).items():
        weight = layer.weight  # subtle: held in the dict, so no other tensor gets its id
        weights.setdefault(id(weight), (f"{name}.weight".removeprefix("."), weight))
    return dict(weights.values())


def total_sparsity(model: nn.Module) -> float:
    """Return the share of zeros in the weights of convolutions and linear layers and in sparse parameters.

    Biases and batch normalization are not counted; the result is 0 without such weights.

    >>> layer = nn.Linear(4, 1)
    >>> layer.weight = nn.Parameter(torch.tensor([[0.0, 5.0, 0.0, 0.0]]).to_sparse())
    >>> total_sparsity(layer)
    0.75
    """
    sparse = {name: weight for name, weight in model.named_parameters() if weight.is_sparse}
    weights = {**prunable_weights(model), **sparse}.values()
    zeros = sum(weight.numel() - count_nonzero(weight) for weight in weights)
    return zeros / max(1, sum(weight.numel() for weight in weights))


def count_nonzero(weight: Tensor) -> int:
    """Return how many values are not 0; of a sparse COO tensor, how many stored values are not 0."""
    values = weight.detach()
    return int(torch.count_nonzero(values.coalesce().values() if values.is_sparse else values))


def layer_label(name: str, module: nn.Module) -> str:
    """Name a module in a message, also if it is the whole model.

    >>> layer_label("head", nn.Linear(2, 2)), layer_label("", nn.Linear(2, 2))
    ("layer 'head' (Linear)", 'the layer (Linear)')
    """
    kind = type(module).__name__
    return f"layer {name!r} ({kind})" if name else f"the layer ({kind})"


def require_own_weights(model: nn.Module) -> None:
    """Raise ValueError if a layer computes its weight from other tensors in every forward pass."""
    for name, layer in named_layers(model).items():
        require_own_weight(name, layer)


def require_own_weight(name: str, layer: Layer) -> None:
    """Raise ValueError if ``layer`` computes its weight from other tensors: changing it would not last."""
    if "weight" not in layer._parameters and "weight" not in layer._buffers:
        raise ValueError(
            f"{layer_label(name, layer)} computes its weight from other tensors, so a change would not last; "
            "make it an ordinary weight first (unshare_layers, torch's remove_parametrizations, prune.remove "
            "or remove_weight_norm)."
        )


def require_untied_weights(model: nn.Module) -> None:
    """Raise ValueError if a layer's weight is a parameter of another module as well."""
    owners: defaultdict[int, list[str]] = defaultdict(list)
    for name, module in model.named_modules():
        for part, parameter in module.named_parameters(recurse=False):
            owners[id(parameter)].append(f"{name}.{part}".removeprefix("."))
    for layer in named_layers(model).values():
        names = owners[id(layer._parameters.get("weight"))]
        if len(names) > 1:
            raise ValueError(
                f"{' and '.join(map(repr, names))} are one tied parameter, which would be two tensors "
                "afterwards; give each layer a weight of its own first."
            )


def require_type(
    name: str, module: nn.Module, kinds: Mapping[type[nn.Module], object], *, parametrized: bool = False
) -> None:
    """Raise ValueError unless ``module`` is of one of ``kinds``; a subclass may compute something else.

    Args:
        name: of the module.
        module: the module.
        kinds: the classes that are allowed.
        parametrized: whether its tensors may be parametrized, which makes it a subclass.
    """
    kind = parametrize.type_before_parametrizations(module) if parametrized else type(module)
    if kind not in kinds:
        allowed = ", ".join(allowed.__name__ for allowed in kinds)
        raise ValueError(
            f"{layer_label(name, module)} is not supported; its class must be one of {allowed}."
        )


def has_hooks(module: nn.Module) -> bool:
    """Return whether hooks act on the forward or backward pass of ``module`` itself."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return any(getattr(module, kind) for kind in hooks)


def require_no_hooks(name: str, module: nn.Module) -> None:
    """Raise ValueError if hooks act on the passes of ``module``: a layer in its place would not run them."""
    if has_hooks(module):
        raise ValueError(f"{layer_label(name, module)} has hooks, which would be lost; remove them first.")
