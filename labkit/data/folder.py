"""Your own images: an ImageFolder tree ``PATH/train/<class>/*`` and ``PATH/test/<class>/*``.

Images of any size are turned upright by their EXIF orientation, resized to 32×32 and kept in memory as
uint8, in a random but fixed order: the first images of a split are a sample of all classes.
A file ``PATH/NAME`` may hold the name that pages of results show, on one line.
"""

from __future__ import annotations

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torchvision.datasets import ImageFolder
from tqdm import tqdm

from labkit.data.dataset import Dataset, Split, photographs

__all__ = ["load_folder"]

ORIGINALS = ("cifar10", "cifar100")  # images in files are never called by the name of these
LAYOUT = "expected PATH/train/<class>/* and PATH/test/<class>/*, the same classes in both"


def load_folder(root: Path) -> Dataset:
    """Read an ImageFolder tree and hold out a tenth of its training images for validation.

    Raises:
        ValueError: if the layout is not as described above, an image cannot be read, or ``NAME`` is empty
            or the name of another data set.
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
    title = _title(root)
    classes = tuple(train.classes)
    return photographs(
        f"folder-{root.name}", _read(train), _read(test), classes=classes, family="folder", title=title
    )


def _title(root: Path) -> str:
    """Return what pages call the images in the folder ``root``.

    subtle: CIFAR's images saved as JPEG are not CIFAR any more, and numbers for the one must not stand
    under the name of the other.
    """
    file = root / "NAME"
    if not file.is_file():
        return f"folder {root.name}"
    name = " ".join(file.read_text(encoding="utf-8").split())
    if not name or re.sub(r"[\W_]", "", name).lower() in ORIGINALS:
        raise ValueError(
            f"{file} must hold a name of these images on one line, got {name!r}. If they are copies of "
            "another data set, say how they differ, such as 'CIFAR-10 re-encoded as JPEG'."
        )
    return name


def _read(source: ImageFolder) -> Split:
    """Decode every image of ``source``, in a random order that depends on their number alone."""
    order = torch.randperm(len(source.samples), generator=torch.Generator().manual_seed(0)).tolist()
    samples = [source.samples[row] for row in order]
    paths = [path for path, _ in samples]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        pixels = list(tqdm(pool.map(_read_image, paths), "reading images", len(paths)))
    labels = torch.tensor([label for _, label in samples], dtype=torch.int64)
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
