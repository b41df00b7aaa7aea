"""Recognise which lab a submitted notebook belongs to, by its name or else by its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from labkit.course.notebook.lab_id import LabId
from labkit.course.submission.cells import read_cells
from labkit.course.submission.read import Submission

__all__ = ["assign_labs", "lab_number"]

MIN_VOTES = 2
CELL_ID = re.compile(r"(\d\d)-")
EXERCISE = re.compile(r"(\d\d)\.\d")
CHECK = re.compile(r"""check\(["'](\d\d)\.\d""")


def assign_labs(submission: Submission, labs: Sequence[LabId]) -> Submission:
    """Return the submission with each notebook under the name of the lab it belongs to.

    A notebook that has another name than any lab is recognised by its cells, and a warning says so.
    It is used only if no notebook has the lab's own name. Notebooks of other labs are left out.
    """
    by_name = {f"{lab}.ipynb": lab for lab in labs}
    notebooks = {name: content for name, content in submission.notebooks.items() if name in by_name}
    warnings = list(submission.warnings)
    others = {name: content for name, content in submission.notebooks.items() if name not in by_name}
    for name, content in [*others.items(), *submission.unnamed]:
        number = lab_number(content)
        target = next((file for file, lab in by_name.items() if lab.number == number), None)
        if target is not None and target not in notebooks:
            notebooks[target] = content
            warnings.append(f"{name}: read as {target}, because of its cells")
        elif target is not None:
            warnings.append(f"{name}: a second file for {by_name[target]}; not read")
        elif number is None:
            warnings.append(f"{name}: not recognised as a lab; not read")
    return replace(submission, notebooks=notebooks, warnings=warnings, unnamed=[])


def lab_number(content: bytes) -> str | None:
    """The number of the lab that most cells of a notebook belong to; None if that is unclear.

    A cell counts by its id (``02-3-todo``), by its metadata (``02.3``) and by the checks it calls.
    """
    votes = Counter(_votes(content)).most_common(2)
    if not votes or votes[0][1] < MIN_VOTES or (len(votes) > 1 and votes[1][1] == votes[0][1]):
        return None
    return votes[0][0]


def _votes(content: bytes) -> Iterator[str]:
    for cell in read_cells(content, []):
        for match in (CELL_ID.match(cell.name), EXERCISE.match(cell.label[1])):
            if match:
                yield match[1]
        yield from CHECK.findall(cell.source)
