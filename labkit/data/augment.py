"""Normalization and augmentation of uint8 images, as batched tensor operations.

A whole batch is cropped or flipped at once, without a Python loop over images, on the images' device. What
is drawn comes from a generator of the CPU, so it is the same on every device.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["normalize", "random_crop", "random_flip"]


def normalize(images: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """Scale uint8 images to 0–1, then to zero mean and unit deviation per channel.

    Args:
        images: ``(n, 3, h, w)`` uint8.
        mean: per channel, on the 0–1 scale.
        std: per channel, on the 0–1 scale.

    Returns:
        ``(n, 3, h, w)`` float32, channels last in memory.

    >>> normalize(torch.full((1, 3, 1, 1), 255, dtype=torch.uint8), (0.5,) * 3, (0.25,) * 3).flatten()
    tensor([2., 2., 2.])
    """
    statistics = torch.tensor([mean, std]).to(images.device, non_blocking=True)
    centre, spread = statistics.view(2, 1, -1, 1, 1).unbind()
    scaled = images.to(memory_format=torch.channels_last).float().div_(255)
    return scaled.sub_(centre).div_(spread)


def random_crop(images: Tensor, generator: torch.Generator, *, padding: int = 4) -> Tensor:
    """Shift each image by up to ``padding`` pixels in each direction, filling with zeros.

    Args:
        images: ``(n, c, h, w)`` of any dtype.
        generator: a CPU generator; the only source of randomness.
        padding: the largest shift, in pixels.
    """
    n, _, height, width = images.shape
    padded = functional.pad(images, (padding,) * 4)
    device = images.device
    offsets = torch.randint(2 * padding + 1, (2, n, 1), generator=generator).to(device, non_blocking=True)
    rows = offsets[0] + torch.arange(height, device=device)  # (n, h)
    columns = offsets[1] + torch.arange(width, device=device)  # (n, w)
    item = torch.arange(n, device=device)[:, None, None]
    crops = padded.permute(0, 2, 3, 1)[item, rows[:, :, None], columns[:, None, :]]  # (n, h, w, c)
    return crops.permute(0, 3, 1, 2)


def random_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image ``(n, c, h, w)`` left to right with probability one half."""
    mirrored = torch.rand(len(images), generator=generator) < 0.5
    mirrored = mirrored.to(images.device, non_blocking=True).view(-1, 1, 1, 1)
    return torch.where(mirrored, images.flip(-1), images)
