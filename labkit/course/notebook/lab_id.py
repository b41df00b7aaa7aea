"""The name of a lab."""

from __future__ import annotations

__all__ = ["LabId"]


class LabId(str):
    """The name of a lab's file without its suffix, such as ``02_magnitude_pruning``.

    >>> LabId("02_magnitude_pruning").number
    '02'
    """

    __slots__ = ()

    @property
    def number(self) -> str:
        """The part before the first underscore; people name a lab by it."""
        return self.partition("_")[0]

    def is_named(self, text: str) -> bool:
        """Whether ``text`` is this lab's number or its whole name."""
        return text in (self, self.number)
