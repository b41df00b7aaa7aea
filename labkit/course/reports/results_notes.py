"""What the author of the labs adds to docs/results.md, from docs/results.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["NO_NOTES", "ResultsNotes", "read_notes"]

TableKey = tuple[str, str]  # a lab's number, such as "02", and the title of one of its tables


@dataclass(frozen=True)
class ResultsNotes:
    """Remarks on the results.

    Attributes:
        remarks: sentences to stand below a table, such as why it differs from a source.
        further: tables that are shown although they have no column of others' results.
        not_run: by a lab's number, why it was not executed on other data.
    """

    remarks: Mapping[TableKey, tuple[str, ...]] = field(default_factory=dict)
    further: frozenset[TableKey] = frozenset()
    not_run: Mapping[str, str] = field(default_factory=dict)

    def tables(self) -> set[TableKey]:
        """Return every table that is named."""
        return {*self.remarks, *self.further}


NO_NOTES = ResultsNotes()


def read_notes(path: Path) -> ResultsNotes:
    """Read ``docs/results.toml``; if it is missing, there are none.

    Raises:
        ValueError: if the file is not TOML of this form; the message names what is wrong.
    """
    if not path.is_file():
        return NO_NOTES
    try:
        facts = tomllib.loads(path.read_text(encoding="utf-8"))
        unknown = facts.keys() - {"remark", "further", "not_run"}
        if unknown:
            raise ValueError(f"unknown entry {min(unknown)!r}; there are remark, further and not_run")
        remarks = dict[TableKey, tuple[str, ...]]()
        for entry in facts.get("remark", []):
            key = (entry["lab"], entry["table"])
            remarks[key] = (*remarks.get(key, ()), entry["text"])
        further = frozenset((entry["lab"], entry["table"]) for entry in facts.get("further", []))
        not_run = {entry["lab"]: entry["reason"] for entry in facts.get("not_run", [])}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} cannot be read ({type(error).__name__}: {error}); each [[remark]] needs lab, table and "
            "text, each [[further]] lab and table, each [[not_run]] lab and reason."
        ) from error
    return ResultsNotes(remarks, further, not_run)
