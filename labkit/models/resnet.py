"""ResNet-20 for 32×32 images (He et al. 2016, section 4.2).

Its state dict has the keys of akamaster's ``pytorch_resnet_cifar10``; :func:`from_akamaster` and
:func:`from_chenyaofo` read the state dicts of the two public collections.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.environment import keep_random_state
from labkit.models.foreign_state import plain_state

__all__ = ["ResNet20", "Shortcut", "from_akamaster", "from_chenyaofo"]

Shortcut = Literal["pad", "projection"]


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions whose input is added to their output.

    Where the shape changes, the shortcut takes every second pixel and pads the new channels with
    zeros (``"pad"``, the paper's option A) or is a 1×1 convolution (``"projection"``, option B).
    """

    def __init__(self, channels_in: int, channels_out: int, *, stride: int, shortcut: Shortcut) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 and shortcut == "pad":
            self.shortcut = PadShortcut(channels_out - channels_in)
        elif stride != 1:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False),
                nn.BatchNorm2d(channels_out),
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, channels_in, h, w)`` to ``(n, channels_out, h / stride, w / stride)``."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + self.shortcut(x))


class PadShortcut(nn.Module):
    """Every second pixel, padded with ``extra`` zero channels, half of them before and half after."""

    def __init__(self, extra: int) -> None:
        super().__init__()
        self.extra = extra

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, c, h, w)`` to ``(n, c + extra, h / 2, w / 2)``."""
        before = self.extra // 2
        return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, before, self.extra - before))


class ResNet20(nn.Module):
    """A convolution, three stages of three residual blocks (16, 32, 64 channels), a classifier."""

    def __init__(self, class_count: int = 10, *, shortcut: Shortcut = "pad") -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = _stage(16, 16, stride=1, shortcut=shortcut)
        self.layer2 = _stage(16, 32, stride=2, shortcut=shortcut)
        self.layer3 = _stage(32, 64, stride=2, shortcut=shortcut)
        self.linear = nn.Linear(64, class_count)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(n, 3, 32, 32)`` to logits ``(n, class_count)``."""
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))


def from_akamaster(state: Mapping[str, Any]) -> ResNet20:
    """Build a ResNet-20 from akamaster's state dict, or from the checkpoint that holds it.

    Raises:
        ValueError: if keys or shapes are not those of a ResNet-20 with padding shortcuts.
    """
    return _load(plain_state(state), shortcut="pad")


def from_chenyaofo(state: Mapping[str, Any]) -> ResNet20:
    """Build a ResNet-20 from chenyaofo's ``cifar10_resnet20`` or ``cifar100_resnet20`` state dict.

    A checkpoint that holds the state dict is read as well.

    Those networks use projection shortcuts, named ``downsample``, and a classifier named ``fc``.

    Raises:
        ValueError: if keys or shapes are not those of such a network.
    """
    renamed = {
        key.replace(".downsample.", ".shortcut.").replace("fc.", "linear."): value
        for key, value in plain_state(state).items()
    }
    return _load(renamed, shortcut="projection")


def _stage(channels_in: int, channels_out: int, *, stride: int, shortcut: Shortcut) -> nn.Sequential:
    """Build three residual blocks, the first of which may halve the resolution."""
    return nn.Sequential(
        ResidualBlock(channels_in, channels_out, stride=stride, shortcut=shortcut),
        ResidualBlock(channels_out, channels_out, stride=1, shortcut=shortcut),
        ResidualBlock(channels_out, channels_out, stride=1, shortcut=shortcut),
    )


@keep_random_state()  # the random weights are replaced
def _load(state: dict[str, Tensor], *, shortcut: Shortcut) -> ResNet20:
    """Build the network that ``state`` describes and load all of its keys."""
    if "linear.weight" not in state:
        raise ValueError("not a ResNet-20 state dict: it has no classifier weight (linear or fc).")
    model = ResNet20(class_count=len(state["linear.weight"]), shortcut=shortcut)
    try:
        model.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"not a ResNet-20 state dict with {shortcut} shortcuts: {error}") from error
    return model
