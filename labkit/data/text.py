"""English text for a character model: the help topics of CPython 3.11, frozen, in three parts.

``pydoc_data.topics`` is part of every CPython, but its text changes from version to version, and so would
every loss measured on it. So the text of 3.11.7 is shipped beside this module as ``topics.txt.xz``.
Changed against the original: paragraphs that occur several times are kept once (topics overlap, and a
validation paragraph must not stand in the training part as well), and typographic characters are written
in ASCII. Copyright © 2001–2023 Python Software Foundation, under the PSF License Version 2
(https://docs.python.org/3.11/license.html).
"""

from __future__ import annotations

import lzma
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from labkit.files import digest

__all__ = ["ALPHABET", "CharacterText", "decode_characters", "encode_characters", "load_topics"]

ALPHABET = "\n" + "".join(map(chr, range(32, 127)))
SHA256 = "f22da49d0dba353a041fb11400b189efed2cf3f3363b968f776984ef12ed494d"
FILE = Path(__file__).with_name("topics.txt.xz")
BLOCK = 4000  # characters; of every ten blocks one is for validation and one for testing


@dataclass(frozen=True)
class CharacterText:
    """A text as indices into :data:`ALPHABET`, int64; each split is a list of separate passages."""

    train: tuple[Tensor, ...]
    validation: tuple[Tensor, ...]
    test: tuple[Tensor, ...]


def encode_characters(text: str) -> Tensor:
    """Return the index of each character in :data:`ALPHABET`, ``(len(text),)`` int64.

    Raises:
        ValueError: if a character is not in the alphabet (printable ASCII and the newline).

    >>> encode_characters("a b").tolist()
    [66, 1, 67]
    """
    unknown = sorted(set(text) - set(ALPHABET))
    if unknown:
        raise ValueError(f"only printable ASCII and newlines can be encoded, got {unknown[:5]}.")
    return torch.tensor([0 if character == "\n" else ord(character) - 31 for character in text])


def decode_characters(tokens: Tensor) -> str:
    """Return the text of indices ``(n,)``.

    >>> decode_characters(encode_characters("a b"))
    'a b'
    """
    return "".join(ALPHABET[index] for index in tokens.tolist())


def load_topics() -> CharacterText:
    """Read the text and divide it; the same on every machine and every version of Python.

    Raises:
        RuntimeError: if the file beside this module is missing or damaged.
    """
    try:
        content = lzma.decompress(FILE.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise RuntimeError(f"{FILE} cannot be read ({error}); install labkit again.") from error
    if digest(content) != SHA256:
        raise RuntimeError(f"{FILE} is damaged: its text has another SHA-256; install labkit again.")
    parts: dict[str, list[Tensor]] = {"train": [], "validation": [], "test": []}
    for index, block in enumerate(_blocks(content.decode("ascii"))):
        part = {8: "validation", 9: "test"}.get(index % 10, "train")
        parts[part].append(encode_characters(block))
    return CharacterText(**{part: tuple(blocks) for part, blocks in parts.items()})


def _blocks(text: str) -> Iterator[str]:
    """Cut the text between paragraphs, into blocks of at least :data:`BLOCK` characters but the last."""
    block = ""
    for paragraph in text.split("\n\n"):
        block += paragraph + "\n\n"
        if len(block) >= BLOCK:
            yield block
            block = ""
    if block:
        yield block
