"""Multiply-accumulates of convolutions and linear layers, in closed form and as traced.

One multiply-accumulate is one product added to a sum. Counted without: biases, pooling,
activations and batch normalization, which at inference is folded into the convolution before it
(torchprofile counts it, one an output value). Zeros count: a dense kernel multiplies them all.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from typing import Any

import torch
from torch import Tensor, nn

from labkit.models import evaluation_mode

__all__ = ["closed_form_macs", "count_macs", "traced_macs"]

# subtle: also products that no closed form here knows, so that they are noticed and not left out.
PRODUCTS = ("_convolution", "linear", "addmm", "addmv", "matmul", "bmm", "baddbmm", "einsum", "lstm")
COUNTED = (*(f"aten::{name}" for name in PRODUCTS), "aten::scaled_dot_product_attention")
# What torchprofile warns of without counting it; others, such as padding, multiply nothing.
UNKNOWN_PRODUCT = re.compile(
    r'No handlers found: ("\w+::\w*(?:mm|mul|conv|linear|dot|rnn|gru|attention)\w*")'
)


def count_macs(model: nn.Module, x: Tensor) -> int:
    """Multiply-accumulates of one image, by torchprofile, once the closed form has given the same.

    Args:
        model: in any mode; it is evaluated, and left in the mode it was in.
        x: ``(n, …)``, an input of the model; only its first image is used.

    Raises:
        ValueError: if the two counts differ, since a layer that is no ``nn.Conv2d`` or ``nn.Linear``
            convolves or multiplies, or torchprofile cannot count a product.

    >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), torch.zeros(1, 3, 32, 32))  # 32² · 8 · 3 · 3²
    221184
    """
    traced = traced_macs(model, x)
    counted = sum(traced.get(operator, 0) for operator in COUNTED)
    by_layer = closed_form_macs(model, x)
    if counted != sum(by_layer.values()):
        raise ValueError(
            f"torchprofile counts {counted} multiply-accumulates, the closed form {sum(by_layer.values())}: "
            "some layer is neither nn.Conv2d nor nn.Linear; give its count yourself (macs=…)."
        )
    return counted


def closed_form_macs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Multiply-accumulates of one image by layer: output values times products an output value.

    An output value of a convolution sums ``in / groups · kh · kw`` products, of a linear layer
    ``in``. A layer that is used twice counts twice.

    >>> closed_form_macs(nn.Sequential(nn.Flatten(), nn.Linear(12, 5)), torch.zeros(2, 3, 2, 2))
    {'1': 60}
    """
    found: Counter[str] = Counter()

    def counter(name: str, products: int) -> object:
        def count(module: nn.Module, inputs: object, output: Tensor) -> None:
            del module, inputs
            found[name] += output.numel() * products

        return count

    hooks = [
        module.register_forward_hook(counter(name, module.weight[0].numel()))  # type: ignore[arg-type]
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    try:
        _forward(model, x[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return dict(found)


def traced_macs(model: nn.Module, x: Tensor) -> dict[str, int]:
    """Multiply-accumulates of one image by operator, as torchprofile traces them.

    Raises:
        ValueError: if torchprofile cannot count one of the model's products.

    >>> traced_macs(nn.Conv2d(3, 8, 1), torch.zeros(1, 3, 4, 4))
    {'aten::_convolution': 384}
    """
    from torchprofile import profile_macs

    with evaluation_mode(model), torch.no_grad(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nodes: Any = profile_macs(model, x[:1], reduction=None)
    unknown = [found[1] for found in (UNKNOWN_PRODUCT.match(str(each.message)) for each in caught) if found]
    if unknown:
        raise ValueError(f"torchprofile cannot count {unknown[0]}; give the count yourself (macs=…).")
    found: Counter[str] = Counter()
    for node, macs in nodes.items():
        found[node.operator] += macs
    return {operator: int(macs) for operator, macs in found.items() if macs}


def _forward(model: nn.Module, x: Tensor) -> None:
    """One pass in evaluation mode."""
    with evaluation_mode(model), torch.inference_mode():
        model(x)
