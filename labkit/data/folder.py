"""Your own images: an ImageFolder tree ``PATH/train/<class>/*`` and ``PATH/test/<class>/*``.

Images of any size are turned upright by their EXIF orientation, resized to 32×32 and kept in memory as
uint8.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder
from tqdm import tqdm

from labkit.data.dataset import Dataset, Split, channel_statistics, hold_out

__all__ = ["load_folder"]

LAYOUT = "expected PATH/train/<class>/* and PATH/test/<class>/*, the same classes in both"


def load_folder(root: Path) -> Dataset:
    """Read an ImageFolder tree and hold out a tenth of its training images for validation.

    Raises:
        ValueError: if the layout is not as described above or an image cannot be read.
    """
    root = root.resolve()  # the data set is named after the folder
    for part in ("train", "test"):
        if not (root / part).is_dir():
            raise ValueError(f"folder:{root} has no folder {part!r}: {LAYOUT}.")
    try:
        train, test = (ImageFolder(str(root / part)) for part in ("train", "test"))
    except FileNotFoundError as error:
        raise ValueError(f"folder:{root} cannot be used ({error}): {LAYOUT}.") from error
    if train.classes != test.classes:
        difference = sorted(set(train.classes) ^ set(test.classes))
        raise ValueError(f"folder:{root}: only one part has the classes {', '.join(difference)}: {LAYOUT}.")
    kept, held = hold_out(_read(train), fraction=0.1, seed=0)
    mean, std = channel_statistics(kept.images)
    classes = tuple(train.classes)
    return Dataset(f"folder-{root.name}", kept, held, _read(test), classes, mean, std, flip=True)


def _read(source: ImageFolder) -> Split:
    """Decode every image of ``source``, in its order."""
    paths = [path for path, _ in source.samples]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pixels = list(tqdm(pool.map(_read_image, paths), "reading images", len(paths)))
    labels = torch.tensor([label for _, label in source.samples], dtype=torch.int64)
    return Split(torch.from_numpy(np.stack(pixels)), labels)


def _read_image(path: str) -> np.ndarray:
    """Decode one image to ``(3, 32, 32)`` uint8."""
    try:
        with Image.open(path) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(f"mode {image.mode}: it has more than 8 bits per channel")
            # subtle: a palette with transparency must be converted to RGBA before RGB.
            upright = _upright(image)
            plain = upright.convert("RGBA") if upright.has_transparency_data else upright
            resized = plain.convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is not a readable image ({error}); repair or remove it.") from error
    return np.asarray(resized, dtype=np.uint8).transpose(2, 0, 1)


def _upright(image: Image.Image) -> Image.Image:
    """Turn a photo as its EXIF orientation says; leave it as it is if its EXIF data are damaged."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged data can raise almost any error
        return image
