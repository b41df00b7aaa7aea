"""Networks that are unusual but legitimate: images ``(n, 3, 32, 32)`` to logits of four classes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations, prune

from labkit.models import prunable_weights
from labkit.quantization.trained_codebook import cluster_layers
from labkit.quantization.weight_sharing import share_layers

CLASSES = 4


class Chain(nn.Sequential):
    """Layers one after another, in a class whose forward pass is its own."""

    def forward(self, x):
        return super().forward(x)


class Reshape(nn.Module):
    """Images with another shape per image, such as ``(3, 1024)`` for a one-dimensional convolution."""

    def __init__(self, *shape):
        super().__init__()
        self.shape = shape

    def forward(self, x):
        return x.reshape(len(x), *self.shape)


class TenTimes(nn.Linear):
    """A linear layer whose forward pass does more."""

    def forward(self, x):
        return 10 * super().forward(x)


class TwoNames(nn.Module):
    """One convolution as ``first`` and ``second``."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = self.first
        self.head = nn.Linear(3, CLASSES)

    def forward(self, x):
        return self.head(self.second(functional.relu(self.first(x[..., ::4, ::4]))).mean((2, 3)))


class Unused(nn.Module):
    """A layer ``spare`` that the forward pass never calls."""

    def __init__(self):
        super().__init__()
        self.body, self.head = body(), nn.Linear(6, CLASSES)
        self.spare = nn.Linear(5, 5)

    def forward(self, x):
        return self.head(self.body(x))


class FunctionalDropout(nn.Module):
    """Dropout that only the mode of the module switches, not a layer."""

    def forward(self, x):
        return functional.dropout(x, 0.5, training=self.training)


class Mean(nn.Module):
    """The mean brightness of four stripes: logits without any parameter."""

    def forward(self, x):
        return x.unflatten(2, (CLASSES, -1)).mean((1, 3, 4))


def body() -> nn.Sequential:
    """A convolution with batch normalization; ``(n, 6)``."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=4, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )


def plain(*middle: nn.Module) -> nn.Sequential:
    """The body, then ``middle``, then the classifier: 3·6·9 + 6·4 weights."""
    return nn.Sequential(*body(), *middle, nn.Linear(6, CLASSES))


def shared_module() -> nn.Module:
    return TwoNames()


def shared_in_a_chain() -> nn.Module:
    layer = nn.Linear(6, 6)
    return plain(layer, nn.ReLU(), layer)


def tied() -> nn.Module:
    model = plain(nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 6))
    model[7].weight = model[5].weight
    return model


def weight_norm() -> nn.Module:
    model = plain()
    parametrizations.weight_norm(model[5])
    return model


def torch_pruned() -> nn.Module:
    model = plain()
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    model(torch.zeros(2, 3, 32, 32))  # the weight is a result of the graph from now on
    return model


def shared_values() -> nn.Module:
    return share_layers(plain(), 4)


def clustered() -> nn.Module:
    model = plain()
    for weight in prunable_weights(model).values():  # far from the level 0
        weight.data += weight.sign()
    return cluster_layers(model, 4)


def hooked() -> nn.Module:
    model = plain()
    model[5].register_forward_hook(lambda _module, _inputs, output: 10 * output)
    return model


def subclassed() -> nn.Module:
    return nn.Sequential(*body(), TenTimes(6, CLASSES))


def own_chain() -> nn.Module:
    return nn.Sequential(Chain(*body()), nn.Linear(6, CLASSES))


def frozen() -> nn.Module:
    model = plain()
    model[0].requires_grad_(False)
    return model


def unused() -> nn.Module:
    return Unused()


def dropout_of_every_kind() -> nn.Module:
    layers = body()
    layers.insert(3, nn.Dropout2d())
    layers.insert(4, nn.FeatureAlphaDropout())
    dropouts = nn.Dropout(), nn.AlphaDropout(), FunctionalDropout()
    return nn.Sequential(*layers, *dropouts, nn.Linear(6, CLASSES))


def one_dimension() -> nn.Module:
    pool = nn.AdaptiveAvgPool1d(1)
    return nn.Sequential(
        Reshape(3, 1024),
        nn.Conv1d(3, 6, 3, stride=16),
        nn.BatchNorm1d(6),
        nn.ReLU(),
        pool,
        nn.Flatten(),
        nn.Linear(6, CLASSES),
    )


def three_dimensions() -> nn.Module:
    pool = nn.AdaptiveAvgPool3d(1)
    return nn.Sequential(
        Reshape(1, 3, 32, 32),
        nn.Conv3d(1, 6, 3, stride=4),
        nn.BatchNorm3d(6),
        nn.ReLU(),
        pool,
        nn.Flatten(),
        nn.Linear(6, CLASSES),
    )


def transposed() -> nn.Module:
    pools = nn.AvgPool2d(8), nn.ConvTranspose2d(3, 6, 3, stride=2), nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*pools, nn.Flatten(), nn.Linear(6, CLASSES))


def half() -> nn.Module:
    return plain().half()


def bfloat16() -> nn.Module:
    return plain().bfloat16()


def double() -> nn.Module:
    return plain().double()


def no_parameters() -> nn.Module:
    return nn.Sequential(Mean())


def data_parallel() -> nn.Module:
    return nn.DataParallel(plain())


@dataclass(frozen=True)
class Unusual:
    """How to build a network, and what is right about it.

    ``weights``: number of weights of convolutions and linear layers, a shared or tied one counted once.
    ``parameters``: number of trained values. ``macs``: of one image. ``zeros``: share of zeros.
    """

    build: Callable[[], nn.Module]
    weights: int
    parameters: int
    macs: int
    zeros: float = 0.0

    def __call__(self) -> Any:
        torch.manual_seed(0)
        return self.build().eval()


CONV, HEAD = 3 * 6 * 9, 6 * CLASSES
PLAIN = {"weights": CONV + HEAD, "parameters": CONV + 12 + HEAD + CLASSES, "macs": 64 * CONV + HEAD}
HIDDEN = 6 * 6

NETWORKS = {
    "one module under two names": Unusual(
        shared_module, 81 + 12, 81 + 3 + 12 + CLASSES, macs=2 * 64 * 81 + 12
    ),
    "one module twice in a chain": Unusual(
        shared_in_a_chain,
        PLAIN["weights"] + HIDDEN,
        PLAIN["parameters"] + HIDDEN + 6,
        macs=PLAIN["macs"] + 2 * HIDDEN,
    ),
    "tied parameters": Unusual(
        tied, PLAIN["weights"] + HIDDEN, PLAIN["parameters"] + HIDDEN + 12, macs=PLAIN["macs"] + 2 * HIDDEN
    ),
    "weight norm": Unusual(weight_norm, PLAIN["weights"], PLAIN["parameters"] + CLASSES, PLAIN["macs"]),
    "torch-pruned": Unusual(torch_pruned, **PLAIN, zeros=CONV / 2 / (CONV + HEAD)),
    "shared values": Unusual(shared_values, PLAIN["weights"], 2 * 4 + 12 + CLASSES, PLAIN["macs"]),
    "trained codebook": Unusual(clustered, **PLAIN),
    "hook": Unusual(hooked, **PLAIN),
    "subclass": Unusual(subclassed, **PLAIN),
    "chain with its own forward": Unusual(own_chain, **PLAIN),
    "frozen layer": Unusual(frozen, **PLAIN),
    "unused layer": Unusual(unused, PLAIN["weights"] + 25, PLAIN["parameters"] + 30, PLAIN["macs"]),
    "every kind of dropout": Unusual(dropout_of_every_kind, **PLAIN),
    "Conv1d": Unusual(one_dimension, 54 + HEAD, 54 + 6 + 12 + HEAD + CLASSES, macs=64 * 54 + HEAD),
    "Conv3d": Unusual(three_dimensions, CONV + HEAD, CONV + 6 + 12 + HEAD + CLASSES, macs=64 * CONV + HEAD),
    "ConvTranspose2d": Unusual(transposed, CONV + HEAD, CONV + 6 + HEAD + CLASSES, macs=16 * CONV + HEAD),
    "half": Unusual(half, **PLAIN),
    "bfloat16": Unusual(bfloat16, **PLAIN),
    "double": Unusual(double, **PLAIN),
    "no parameters": Unusual(no_parameters, 0, 0, 0),
    "DataParallel": Unusual(data_parallel, **PLAIN),
}
