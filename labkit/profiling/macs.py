"""Multiply-accumulates of convolutions and linear layers, in closed form and as traced.

One multiply-accumulate is one product added to a sum. Not counted are biases, pooling, activations and
batch normalization, which is folded into the convolution before it at inference (torchprofile counts one
per output value). Zeros count: a dense kernel multiplies them all.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from labkit.models import evaluation_mode
from labkit.models.weights import layer_label, named_layers

__all__ = ["closed_form_macs", "count_macs", "traced_macs"]

TRANSPOSED = nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d

# subtle: includes products that closed_form_macs does not know, so they are noticed, not ignored.
PRODUCTS = ("_convolution", "linear", "addmm", "addmv", "matmul", "bmm", "baddbmm", "einsum", "lstm")
COUNTED = (*(f"aten::{name}" for name in PRODUCTS), "aten::scaled_dot_product_attention")
# Products that torchprofile warns about and does not count; its other warnings concern no products.
UNKNOWN_PRODUCT = re.compile(
    r'No handlers found: ("\w+::\w*(?:mm|mul|conv|linear|dot|rnn|gru|attention)\w*")'
)


def count_macs(model: nn.Module, x: Tensor) -> int:
    """Return the multiply-accumulates of one image, on which torchprofile and the closed form agree.

    Args:
        model: evaluated, and left in the mode it was in.
        x: ``(n, …)``, an input of the model; only its first image is used.

    Raises:
        ValueError: if the two counts differ, because something besides convolutions and linear layers
            multiplies or a convolution is transposed, or if torchprofile cannot count a product.

    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 32, 32))  # 32² · 8 · 3 · 3²
    221184
    """
    traced = traced_macs(model, x)
    counted = sum(traced.get(operator, 0) for operator in COUNTED)
    by_layer = closed_form_macs(model, x)
    if counted != sum(by_layer.values()):
        raise ValueError(
            f"torchprofile counts {counted} multiply-accumulates, the closed form {sum(by_layer.values())}: "
            f"{_suspects(model)}; pass the count yourself (macs=…)."
        )
    return counted


def closed_form_macs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Return the multiply-accumulates of one image by layer: output values times products per value.

    An output value of a convolution sums ``in / groups · kh · kw`` products, that of a linear layer
    ``in``; an input value of a transposed convolution enters ``out / groups · kh · kw`` products. A layer
    that is used twice counts twice.

    >>> closed_form_macs(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.zeros(2, 3, 2, 2))
    {'1': 60}
    """
    macs: Counter[str] = Counter()

    def counter(name: str, products: int) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
        def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            values = inputs[0] if isinstance(module, TRANSPOSED) else output
            macs[name] += values.numel() * products

        return count

    with ExitStack() as hooks:
        for name, layer in named_layers(model).items():
            hook = layer.register_forward_hook(counter(name, layer.weight[0].numel()))
            hooks.callback(hook.remove)
        _forward(model, x[:1])
    return dict(macs)


def traced_macs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Return the multiply-accumulates of one image by operator, as torchprofile traces them.

    Raises:
        ValueError: if torchprofile cannot count one of the model's products.

    >>> traced_macs(nn.Conv2d(3, 8, 1), torch.zeros(1, 3, 4, 4))
    {'aten::_convolution': 384}
    """
    from torchprofile import profile_macs

    with evaluation_mode(model), torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nodes: Any = profile_macs(model, x[:1], reduction=None)
    matches = (UNKNOWN_PRODUCT.match(str(warning.message)) for warning in caught)
    unknown = [match[1] for match in matches if match]
    if unknown:
        raise ValueError(f"torchprofile cannot count {unknown[0]}; pass the count yourself (macs=…).")
    by_operator: Counter[str] = Counter()
    for node, macs in nodes.items():
        by_operator[node.operator] += macs
    return {operator: int(macs) for operator, macs in by_operator.items() if macs}


def _suspects(model: nn.Module) -> str:
    """Name the modules whose products the two counts may see differently."""
    layers = named_layers(model)
    labels = [
        layer_label(name, module)
        for name, module in model.named_modules()
        if isinstance(module, TRANSPOSED)
        or (name not in layers and any(p.ndim > 1 for p in module.parameters(recurse=False)))
    ]
    return f"they differ on {', '.join(labels)}" if labels else "a product belongs to no layer"


def _forward(model: nn.Module, x: Tensor) -> None:
    """One pass in evaluation mode."""
    with evaluation_mode(model), torch.inference_mode():
        model(x)
