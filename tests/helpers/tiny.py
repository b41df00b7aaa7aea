"""A data set and a network small enough to train in a fraction of a second."""

import torch
from torch import nn

from labkit.data import Dataset, Split
from labkit.data.dataset import channel_statistics


def tiny_dataset(
    *, seed: int = 0, train: int = 256, held: int = 64, classes: int = 4, flip: bool = False
) -> Dataset:
    """Noise whose brightness tells the class, so that a few epochs learn something."""
    generator = torch.Generator().manual_seed(seed)
    parts = [_tiny_split(size, classes, generator) for size in (train, held, held)]
    mean, std = channel_statistics(parts[0].images)
    names = tuple(f"class{label}" for label in range(classes))
    return Dataset("tiny", *parts, classes=names, mean=mean, std=std, flip=flip)


def tiny_network(classes: int = 4) -> nn.Sequential:
    """Convolution, batch normalization, classifier: 3·6·9 + 6·classes prunable weights."""
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=4, bias=False),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(6, classes),
    )


def seeded_network(seed: int = 0, classes: int = 4) -> nn.Sequential:
    torch.manual_seed(seed)
    return tiny_network(classes)


def same_state(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks hold the same bits."""
    left, right = first.state_dict(), second.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


def _tiny_split(size: int, classes: int, generator: torch.Generator) -> Split:
    labels = torch.arange(size) % classes
    noise = torch.randint(128, (size, 3, 32, 32), generator=generator)
    brightness = (labels * 127 // max(1, classes - 1)).view(-1, 1, 1, 1)
    return Split((noise + brightness).to(torch.uint8), labels)
