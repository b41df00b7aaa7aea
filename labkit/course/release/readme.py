"""The student's README: its text in ``student_files``, and a table of the labs that are released."""

from __future__ import annotations

import re
from collections.abc import Mapping

from nbformat import NotebookNode

from labkit.course.notebook.lab_id import LabId
from labkit.course.reports.executed import first_text, notebook_title

__all__ = ["minutes_of_work", "with_labs"]

PLACE = "<!-- the table of the labs -->\n"
MINUTES = re.compile(r"\b(\d+) minutes\b")
TITLE_NUMBER = re.compile(r"^Lab \d+: ")


def with_labs(text: str, labs: Mapping[str, NotebookNode]) -> str:
    """Return the README with the table of the labs, whose notebooks are given by name, in its place.

    Raises:
        ValueError: if the text has no such place.
    """
    if PLACE not in text:
        raise ValueError(f"the student's README has no line {PLACE.strip()!r} for the table of the labs.")
    rows = ["| lab | | minutes of work |", "|---|---|---|"]
    for name, notebook in sorted(labs.items()):
        title = TITLE_NUMBER.sub("", notebook_title(name, notebook))
        minutes = minutes_of_work(notebook)
        shown = "not stated" if minutes is None else str(minutes)
        rows.append(f"| {LabId(name).number} | [{title}](labs/{name}.ipynb) | {shown} |")
    return text.replace(PLACE, "\n".join([*rows, ""]))


def minutes_of_work(notebook: NotebookNode) -> int | None:
    """Return the minutes that a lab's first text states, or None if it states none."""
    match = MINUTES.search(first_text(notebook))
    return int(match[1]) if match else None
