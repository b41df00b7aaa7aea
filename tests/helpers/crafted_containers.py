"""Containers as an attacker makes them: a right checksum around any header and any streams."""

from __future__ import annotations

import json
import zlib

from labkit.coding.bits import varint


def seal(content: bytes) -> bytes:
    """The content and its checksum."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def crafted(header: object, body: bytes = b"", *, version: int = 1) -> bytes:
    """A file with this header, as JSON or as the bytes themselves, and this body."""
    content = header if isinstance(header, bytes) else json.dumps(header).encode()
    packed = zlib.compress(content)
    return seal(b"\x89LKC" + bytes([version]) + varint(len(packed)) + packed + body)


def stream(kind: int, payload: bytes) -> bytes:
    """A stream of this kind and payload."""
    return bytes([kind]) + varint(len(payload)) + payload
