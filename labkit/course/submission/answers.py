"""Find a student's answers in a submitted notebook, and put them into the lab's own notebook.

Only the sources of TODO, answer and predict cells are taken from the file. Checks, setup and text
are the lab's own, and outputs are ignored. The file may be damaged in any way: each problem becomes
a warning and never ends the grading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from nbformat import NotebookNode

from labkit.course.notebook.cell_ids import Slot, match_by_position
from labkit.course.notebook.structure import cell_info, cell_role
from labkit.course.release.strip import strip
from labkit.course.submission.cells import Attachments, SubmittedCell, read_cells

__all__ = ["ANSWER_ROLES", "Answers", "collect_answers", "insert_answers"]

ANSWER_ROLES = ("todo", "answer", "reading", "predict")
SIMILAR = 0.6  # share of lines in common that makes a cell an answer without any other sign
# How strongly a sign says that a student's cell answers a cell of the lab.
DEFINES, CHANGED, SAME_ID, SAME_LABEL, SAME_START = 4, 4, 2, 1, 1
LAB_NUMBER = re.compile(r"(\d\d)-")  # in the id of a lab's cell
DEFINITION = re.compile(r"^(?:def\s+(\w+)\s*\(|(\w+)\s*=)", re.MULTILINE)


@dataclass
class Answers:
    """The student's sources and pictures by the lab's cell ids, and warnings, one sentence each."""

    sources: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    attachments: dict[str, Attachments] = field(default_factory=dict)


def collect_answers(content: bytes, source: NotebookNode) -> Answers:
    """Find the answers to the lab ``source`` in the file ``content``, which may hold any bytes.

    A cell is found by its id, by the names it defines, by its metadata, by its similarity to the
    released cell, or because it is the only cell between two known cells. Of several candidates, one
    that was changed wins, then the last one.
    """
    answers = Answers()
    cells = read_cells(content, answers.warnings)
    released = strip(source)
    released_ids = {cell.id for cell in released.cells}
    expected = [cell for cell in released.cells if cell_role(cell) in ANSWER_ROLES]
    matches = _matches(expected, cells, {cell.id for cell in source.cells})
    matches |= match_by_position(
        [Slot(cell.id, cell.cell_type) for cell in released.cells],
        [cell.id for cell in expected if cell.id not in matches],
        # subtle: an empty cell is nobody's answer.
        [Slot(cell.name, cell.kind if cell.source.strip() else "blank") for cell in cells],
        {cell.name: index for index, cell in enumerate(cells) if cell.name in released_ids} | matches,
    )
    for cell in expected:
        if cell.id in matches:
            submitted = cells[matches[cell.id]]
            answers.sources[cell.id] = submitted.source
            answers.attachments[cell.id] = submitted.attachments
            answers.warnings += _warnings_about_cell(cell, submitted)
    if cells:
        lab_ids = {cell.id for cell in source.cells}
        answers.warnings += _warnings_about_notebook(released.cells, cells, matches, lab_ids)
    return answers


def insert_answers(source: NotebookNode, answers: Answers) -> NotebookNode:
    """Return the released lab with the student's answers, without hidden cells and without outputs."""
    notebook = strip(source)
    for cell in notebook.cells:
        cell.source = answers.sources.get(cell.id, cell.source)
        if answers.attachments.get(cell.id) and cell.cell_type == "markdown":
            cell.attachments = answers.attachments[cell.id]
    return notebook


class _Signs(NamedTuple):
    """What a cell is recognised by, worked out once: a file may hold 20 MB of cells."""

    source: str
    names: frozenset[str]  # that it defines at its top level, also where it has syntax errors
    first: str
    lines: Counter[str]  # the first 300, without blanks around them

    @classmethod
    def of(cls, source: str) -> _Signs:
        """The signs of a cell's source."""
        names = frozenset(first or second for first, second in DEFINITION.findall(source))
        lines = Counter(line.strip() for line in source.splitlines()[:300] if line.strip())
        return cls(source.strip(), names, source.strip().partition("\n")[0].strip(), lines)


def _matches(
    expected: Sequence[NotebookNode], cells: Sequence[SubmittedCell], lab_ids: set[str]
) -> dict[str, int]:
    """Pair the lab's cells with the student's: the strongest pair first, each cell once."""
    expected_ids = {cell.id for cell in expected}
    times = Counter(submitted.name for submitted in cells)
    # An id that is there twice says nothing.
    others = {name for name in lab_ids - expected_ids if times[name] == 1}
    candidates = [
        (index, submitted, _Signs.of(submitted.source))
        for index, submitted in enumerate(cells)
        if submitted.name not in others or submitted.kind == "raw"
    ]
    pairs = []
    for place, cell in enumerate(expected):
        lab_signs = _Signs.of(cell.source)
        for index, submitted, signs in candidates:
            strength = _strength(cell, lab_signs, submitted, signs)
            if strength:
                pairs.append((strength, index, -place))
    matches: dict[str, int] = {}
    for _, index, place in sorted(pairs, reverse=True):
        name = expected[-place].id
        if name not in matches and index not in matches.values():
            matches[name] = index
    return matches


def _strength(cell: NotebookNode, lab_signs: _Signs, submitted: SubmittedCell, signs: _Signs) -> float:
    """How strongly the signs say that ``submitted`` answers ``cell``; 0 if there is no sign."""
    label = (cell_role(cell), cell_info(cell).exercise)
    strength = (
        DEFINES * (cell.cell_type == "code" and bool(lab_signs.names) and lab_signs.names <= signs.names)
        + SAME_ID * (submitted.name == cell.id)
        + SAME_LABEL * (bool(label[1]) and submitted.label == label)
        + SAME_START * (len(lab_signs.first) > 10 and lab_signs.first == signs.first)
    )
    # The share of lines in common, from 0 to 1, in any order.
    common = (lab_signs.lines & signs.lines).total()
    similarity = 2 * common / max(1, lab_signs.lines.total() + signs.lines.total())
    if not strength and similarity < SIMILAR:
        return 0.0
    return strength + similarity + CHANGED * (signs.source not in ("", lab_signs.source))


def _warnings_about_cell(cell: NotebookNode, submitted: SubmittedCell) -> list[str]:
    """Warnings about one answer."""
    warnings = []
    if submitted.name != cell.id:
        other = f"its id is {submitted.name!r}" if submitted.name else "has no id"
        warnings.append(f"{cell.id}: {other}; found by its content")
    if submitted.kind != cell.cell_type:
        warnings.append(f"{cell.id}: is a {submitted.kind} cell; read as {cell.cell_type}")
    return warnings


def _warnings_about_notebook(
    lab: Sequence[NotebookNode],
    cells: Sequence[SubmittedCell],
    matches: Mapping[str, int],
    lab_ids: set[str],
) -> list[str]:
    """Warnings about the notebook as a whole."""
    ids = Counter(submitted.name for submitted in cells)
    order = [cell.id for cell in lab if cell.id in ids]
    missing = [cell.id for cell in lab if cell.id not in ids and cell.id not in matches]
    sources = {submitted.name: submitted.source.strip() for submitted in cells}
    edited = [
        cell.id
        for cell in lab
        if cell_role(cell) in ("setup", "check") and sources.get(cell.id, cell.source) != cell.source
    ]
    added = [
        index
        for index, submitted in enumerate(cells)
        if submitted.kind == "code" and submitted.source and submitted.name not in lab_ids
    ]
    extra = len(set(added) - set(matches.values()))
    other_labs = Counter(match[1] for name in ids if (match := LAB_NUMBER.match(name))).most_common(1)
    warnings = []
    if not order and other_labs and not matches:
        warnings.append(f"none of this lab's cells are in it: it looks like lab {other_labs[0][0]}")
    elif missing:
        warnings.append(f"{len(missing)} of the lab's cells are missing ({_listed(missing)})")
    twice = [name for name in order if ids[name] > 1]
    if twice:
        warnings.append(f"several cells have the id {_listed(twice)}; a changed one counts, else the last")
    if edited:
        warnings.append(f"edited; the original is used: {_listed(edited)}")
    if order != [
        name for name in dict.fromkeys(submitted.name for submitted in cells) if name in set(order)
    ]:
        warnings.append("the cells are in another order")
    return warnings + ([f"{extra} added code cells are not run"] if extra > 0 else [])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
