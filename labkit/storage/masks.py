"""Masks on disk: which weights pruning kept, one bit per weight and then entropy-coded.

Masks are saved when a network is pruned. Later they tell whether its zeros still are where they were put:
masks that are read off the weights themselves cannot tell that. The file is a container (docs/format.md);
at 90 % zeros a bit per weight shrinks to about half a bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from labkit.coding import FormatError, decode, encode
from labkit.files import write_atomically

__all__ = ["load_masks", "pack_masks", "save_masks", "unpack_masks"]


def pack_masks(masks: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of a container with all masks.

    Args:
        masks: bool tensors of any shape by the weight's name, True where kept.

    Raises:
        ValueError: if a mask is not bool.

    >>> unpack_masks(pack_masks({"a": torch.tensor([[True, False]])}))
    {'a': tensor([[ True, False]])}
    """
    for name, mask in masks.items():
        if mask.dtype != torch.bool:
            raise ValueError(f"mask {name!r} is {mask.dtype}, expected torch.bool, True where kept.")
    return encode({name: mask.detach().cpu().numpy() for name, mask in masks.items()})


def unpack_masks(data: bytes) -> dict[str, Tensor]:
    """Read the masks that :func:`pack_masks` wrote.

    Raises:
        FormatError: if the bytes are damaged, or the container holds something other than masks.
    """
    masks: dict[str, Tensor] = {}
    for name, mask in decode(data).items():
        if not isinstance(mask, np.ndarray) or mask.dtype != bool:
            raise FormatError(f"{name!r} is not a mask; the file is a container of something else.")
        masks[name] = torch.from_numpy(mask)
    return masks


def save_masks(path: Path, masks: Mapping[str, Tensor]) -> int:
    """Write :func:`pack_masks` to a file and return its size in bytes.

    Raises:
        ValueError: if a mask is not bool.
    """
    packed = pack_masks(masks)
    write_atomically(path, packed)
    return len(packed)


def load_masks(path: Path) -> dict[str, Tensor]:
    """Read the masks that :func:`save_masks` wrote.

    Raises:
        FormatError: if the file is damaged or holds something other than masks.
        OSError: if the file cannot be read.
    """
    return unpack_masks(path.read_bytes())
