"""ResNet-18 (He et al. 2016) with torchvision's state-dict keys, for 32×32 images or for ImageNet's.

:func:`imagenet_resnet18` reads ImageNet's weights from a file or through ``torch.hub``. Leaves out: the
backbone that is trained in this project (the recipe ``resnet18-quarter`` of :mod:`labkit.recipes`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit import settings
from labkit.environment import keep_random_state
from labkit.models.foreign_state import plain_state
from labkit.models.weight_files import published_state, read_state

__all__ = ["IMAGENET_URL", "ResNet18", "Stem", "imagenet_resnet18", "replace_classifier"]

Stem = Literal["small", "imagenet"]
CHANNELS = (64, 128, 256, 512)
IMAGENET_URL = "https://download.pytorch.org/models/resnet18-f37072fd.pth"  # torchvision's IMAGENET1K_V1


class BasicBlock(nn.Module):
    """Two 3×3 convolutions whose input is added to their output, by a 1×1 convolution if shapes differ."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels_out)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels_in != channels_out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels_in, channels_out, 1, stride, bias=False), nn.BatchNorm2d(channels_out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, channels_in, h, w)`` to ``(n, channels_out, h / stride, w / stride)``."""
        y = functional.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return functional.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet18(nn.Module):
    """A convolution, four stages of two residual blocks, a classifier ``fc``.

    Args:
        class_count: number of logits.
        width: factor for the numbers of channels, 64 to 512; each must become a whole number.
        stem: ``"small"`` begins with a 3×3 convolution that keeps the resolution; ``"imagenet"`` enlarges
            the images four times and begins as the original does, with a 7×7 convolution of stride 2 and a
            3×3 max pooling.

    Raises:
        ValueError: if a number of channels would not be a positive whole number, or the stem is unknown.

    >>> sum(parameter.numel() for parameter in ResNet18(1000, stem="imagenet").parameters())
    11689512
    """

    def __init__(self, class_count: int = 10, *, width: float = 1.0, stem: Stem = "small") -> None:
        super().__init__()
        channels = [round(width * count) for count in CHANNELS]
        if min(channels) < 1 or any(
            width * count != whole for count, whole in zip(CHANNELS, channels, strict=True)
        ):
            raise ValueError(
                f"width must give whole numbers of channels ({CHANNELS} times it), got {width}."
            )
        if stem not in ("small", "imagenet"):
            raise ValueError(f'stem must be "small" or "imagenet", got {stem!r}.')
        small = stem == "small"
        self.enlarge = nn.Identity() if small else nn.Upsample(scale_factor=4, mode="bilinear")
        size, stride = (3, 1) if small else (7, 2)
        self.conv1 = nn.Conv2d(3, channels[0], size, stride, padding=size // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(channels[0])
        self.maxpool = nn.Identity() if small else nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(channels[0], channels[0], stride=1)
        self.layer2 = _stage(channels[0], channels[1], stride=2)
        self.layer3 = _stage(channels[1], channels[2], stride=2)
        self.layer4 = _stage(channels[2], channels[3], stride=2)
        self.fc = nn.Linear(channels[3], class_count)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(n, 3, 32, 32)`` to logits ``(n, class_count)``."""
        x = functional.relu(self.bn1(self.conv1(self.enlarge(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(self.maxpool(x)))))
        return self.fc(x.mean(dim=(2, 3)))


def replace_classifier(model: ResNet18, class_count: int) -> ResNet18:
    """Give ``model``, in place, a classifier with random weights for ``class_count`` classes."""
    model.fc = nn.Linear(model.fc.in_features, class_count).to(model.fc.weight)
    return model


@keep_random_state()  # the random weights are replaced
def imagenet_resnet18(file: Path | None = None) -> ResNet18:
    """Return torchvision's ResNet-18 for ImageNet, from ``file`` or through ``torch.hub``.

    Args:
        file: a state dict as torchvision publishes it, whose name ends with the beginning of its SHA-256,
            as in ``resnet18-f37072fd.pth``. None: the one in ``data/weights/``, or a download to it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if its hash differs from the one in its name, or it is not such a state dict.
        RuntimeError: if the download fails or does not match its hash.
    """
    if file is not None:
        state = read_state(file, IMAGENET_URL)
    else:
        state = published_state(
            IMAGENET_URL,
            settings.weights_dir(),
            otherwise="leave LABKIT_WEIGHTS unset to use the backbone of this workbook",
        )
    model = ResNet18(1000, stem="imagenet")
    try:
        model.load_state_dict({key: torch.as_tensor(value) for key, value in plain_state(state).items()})
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(f"{file or IMAGENET_URL} is not ImageNet's ResNet-18: {error}") from error
    return model


def _stage(channels_in: int, channels_out: int, *, stride: int) -> nn.Sequential:
    """Build two residual blocks, the first of which may halve the resolution."""
    return nn.Sequential(
        BasicBlock(channels_in, channels_out, stride=stride),
        BasicBlock(channels_out, channels_out, stride=1),
    )
