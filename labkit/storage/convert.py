"""Files of networks: safetensors ↔ the project's container, each file replaced whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from labkit.coding import MAGIC, FormatError
from labkit.files import write_atomically
from labkit.storage.batch_norm import EPSILON
from labkit.storage.state_dict import pack_state, unpack_with_metadata

__all__ = ["compress_file", "decompress_file", "read_container_bytes"]

NOT_IN_SAFETENSORS = (torch.complex32, torch.complex128)
PICKLE_STARTS = (
    b"PK\x03\x04",
    b"\x80",
)  # torch.save: a zip archive since PyTorch 1.6, before that a pickle


def compress_file(
    source: Path,
    target: Path,
    *,
    compact: bool = False,
    bn_epsilon: float | Mapping[str, float] = EPSILON,
) -> tuple[int, int]:
    """Write the state dict in the safetensors file ``source`` as the container ``target``.

    Names, such as those with the prefix ``module.`` of DataParallel, and the file's metadata are kept.

    Args:
        source, target: must differ.
        compact, bn_epsilon: as in :func:`labkit.storage.state_dict.pack_state`.

    Returns:
        The sizes of both files in bytes.

    Raises:
        ValueError: if ``source`` is ``target``, is not a safetensors file or cannot be stored; nothing is
            written.
        OSError: if a file cannot be read or written.
    """
    _check_target(source, target)
    with source.open("rb") as file:
        start = file.read(4)
    if start.startswith(PICKLE_STARTS):
        raise ValueError(
            f"{source} was written by torch.save; convert it with "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), target), and if it is a "
            'checkpoint around a state dict, save what it holds under "state_dict" or "model".'
        )
    try:
        with safe_open(source, framework="pt") as file:
            metadata = file.metadata()
            state = {name: file.get_tensor(name) for name in file.offset_keys()}
    except (SafetensorError, ValueError) as error:
        advice = "give a state dict saved by safetensors, such as those in checkpoints/"
        raise ValueError(f"{source} is not a safetensors file ({error}); {advice}.") from error
    try:
        packed = pack_state(state, compact=compact, bn_epsilon=bn_epsilon, metadata=metadata)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source}: {error}") from error
    write_atomically(target, packed)
    return source.stat().st_size, len(packed)


def decompress_file(source: Path, target: Path) -> int:
    """Write the state dict in the container ``source`` as the safetensors file ``target``.

    Returns:
        The number of tensors.

    Raises:
        FormatError: if ``source`` is damaged or not a container; it is named, and nothing is written.
        ValueError: if ``source`` is ``target``, or holds a type that safetensors does not.
        OSError: if a file cannot be read or written.
    """
    _check_target(source, target)
    try:
        state, metadata = unpack_with_metadata(read_container_bytes(source))
    except FormatError as error:
        raise FormatError(f"{source}: {error}") from error
    for name, tensor in state.items():
        if tensor.dtype in NOT_IN_SAFETENSORS:
            raise ValueError(
                f"{source}: {name!r} is {tensor.dtype}, which safetensors does not hold; "
                "read the container with labkit.storage.state_dict.unpack_state."
            )
    write_atomically(target, save(state, metadata))
    return len(state)


def read_container_bytes(source: Path) -> bytes:
    """Read a file, but of one that does not begin as a container only its first bytes."""
    with source.open("rb") as file:
        start = file.read(len(MAGIC) + 1)
        return start + file.read() if start.startswith(MAGIC) else start


def _check_target(source: Path, target: Path) -> None:
    """Refuse to replace the source, whatever name leads to it, or what is not a file."""
    if not target.exists():
        return
    if target.samefile(source):
        raise ValueError(f"{target} is the file that is read, {source}; give another name for the result.")
    if not target.is_file():
        raise ValueError(f"{target} is not a file, so it is not replaced; give the name of a file.")
