"""State dicts that others publish: a download whose hash is checked, and files whose names hold their hash.

torch.hub checks the hash of what it downloads, but not that of a file in its cache;
:func:`published_state` checks both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from labkit.files import digest

__all__ = ["published_state", "read_state"]


def published_state(url: str, folder: Path, *, otherwise: str) -> Mapping[str, Any]:
    """Return the state dict at ``url``, from ``folder`` if the file is there, or else downloaded to it.

    Args:
        url: its last part is a name as :func:`read_state` wants it.
        folder: made if it does not exist.
        otherwise: what one can do without the file, for the message of a failed download.

    Raises:
        ValueError: if the file in ``folder`` is damaged.
        RuntimeError: if the download fails or does not match its hash.
    """
    file = folder / url.rpartition("/")[2]
    if file.is_file():
        return read_state(file, url)
    try:
        return torch.hub.load_state_dict_from_url(
            url, model_dir=str(folder), map_location="cpu", check_hash=True, weights_only=True
        )
    except (OSError, RuntimeError) as error:
        raise RuntimeError(
            f"{file.name} could not be downloaded from {url} ({error}). Check the network, or put the file "
            f"into {folder}, or {otherwise}."
        ) from error


def read_state(file: Path, url: str) -> Mapping[str, Any]:
    """Read a state dict after checking its hash.

    Args:
        file: its name ends with the beginning of its SHA-256, as in ``resnet18-f37072fd.pth``.
        url: where it is published, for messages.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the name holds no hash, the contents have another one, or are not a state dict.
    """
    promised = re.search(r"-([0-9a-f]{8,64})$", file.stem)
    if promised is None:
        raise ValueError(
            f"{file.name} does not say its hash; keep the published name, such as {url.rpartition('/')[2]}, "
            "which ends with the first digits of the file's SHA-256."
        )
    content = file.read_bytes()
    if not (actual := digest(content)).startswith(promised[1]):
        raise ValueError(
            f"{file} is damaged or another file: its SHA-256 begins with {actual[:8]}, its name says "
            f"{promised[1]}; delete it and download it again from {url}."
        )
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # subtle: of foreign bytes the unpickler raises whatever it meets
        raise ValueError(
            f"{file} is not a state dict that torch can read ({type(error).__name__})."
        ) from error
    if not isinstance(state, Mapping):
        raise ValueError(f"{file} holds a {type(state).__name__}, expected a state dict.")
    return state
