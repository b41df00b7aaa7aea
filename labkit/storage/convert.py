"""Files of networks: safetensors ↔ the project's container, each file replaced whole or not at all."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load, save

from labkit.coding.bits import FormatError
from labkit.files import write_atomically
from labkit.storage.state_dict import pack_state, unpack_state

__all__ = ["compress_file", "decompress_file"]


def compress_file(source: Path, target: Path, *, compact: bool = False) -> tuple[int, int]:
    """Write the state dict in the safetensors file ``source`` as the container ``target``.

    Args:
        source, target: must differ.
        compact: as in :func:`labkit.storage.state_dict.pack_state`.

    Returns:
        The sizes of both files in bytes.

    Raises:
        ValueError: if ``source`` is not a safetensors file or cannot be stored; nothing is written.
        OSError: if a file cannot be read or written.
    """
    content = source.read_bytes()
    try:
        state = load(content)
    except (SafetensorError, ValueError) as error:
        advice = "give a state dict saved by safetensors, such as those in checkpoints/"
        raise ValueError(f"{source} is not a safetensors file ({error}); {advice}.") from error
    try:
        packed = pack_state(state, compact=compact)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source}: {error}") from error
    write_atomically(target, packed)
    return len(content), len(packed)


def decompress_file(source: Path, target: Path) -> int:
    """Write the state dict in the container ``source`` as the safetensors file ``target``.

    Returns:
        The number of tensors.

    Raises:
        FormatError: if ``source`` is damaged or not a container; it is named, and nothing is written.
        OSError: if a file cannot be read or written.
    """
    try:
        state = unpack_state(source.read_bytes())
    except FormatError as error:
        raise FormatError(f"{source}: {error}") from error
    write_atomically(target, save(state))
    return len(state)
