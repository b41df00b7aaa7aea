"""A student's answers out of whatever was handed in, put into the lab's own notebook.

Nothing but the sources of todo, answer and predict cells is taken from the file; checks, setup and
text are the lab's own, and outputs are never looked at. A file may be damaged in any way: what was
odd is said in words, and never ends the grading. Leaves out: running the answers.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from labkit.course.notebook.structure import cell_info
from labkit.course.release.strip import strip
from labkit.course.submission.cells import GivenCell, read_cells

__all__ = ["ANSWER_ROLES", "Answers", "collect", "rebuild"]

ANSWER_ROLES = ("todo", "answer", "predict")
ALIKE = 0.6  # share of lines in common that makes a cell an answer without any other sign
# How strongly a sign says that a student's cell answers a cell of the lab.
DEFINES, CHANGED, SAME_ID, SAME_LABEL, SAME_START = 4, 4, 2, 1, 1
DEFINITION = re.compile(r"^(?:def\s+(\w+)\s*\(|(\w+)\s*=)", re.MULTILINE)


@dataclass
class Answers:
    """The student's sources by the lab's cell ids; what was odd, in words; pictures in answers."""

    sources: dict[str, str] = field(default_factory=dict)
    oddities: list[str] = field(default_factory=list)
    attachments: dict[str, dict[str, Any]] = field(default_factory=dict)


def collect(content: bytes, reference: NotebookNode) -> Answers:
    """The answers in the file ``content`` to the lab ``reference``; any bytes will do.

    A cell is found by its id, by the names it defines, by its labels, by its likeness to the
    released cell, or because it alone stands between two known cells. Of several candidates one
    that was changed wins, then the last.
    """
    found = Answers()
    cells = read_cells(content, found.oddities)
    released = strip(reference)
    wanted = [cell for cell in released.cells if cell_info(cell).get("role") in ANSWER_ROLES]
    matches = _matches(wanted, cells, {cell.id for cell in reference.cells})
    matches |= _by_position(released.cells, wanted, cells, matches)
    for cell in wanted:
        if cell.id in matches:
            given = cells[matches[cell.id]]
            found.sources[cell.id] = given.source
            found.attachments[cell.id] = given.attachments
            found.oddities += _oddities_of(cell, given)
    if cells:
        known = {cell.id for cell in reference.cells}
        found.oddities += _oddities_of_all(released.cells, cells, matches, known)
    return found


def rebuild(reference: NotebookNode, answers: Answers) -> NotebookNode:
    """The released lab with the answers in their places: no hidden cell, no output of the student's."""
    notebook = strip(reference)
    for cell in notebook.cells:
        cell.source = answers.sources.get(cell.id, cell.source)
        if answers.attachments.get(cell.id) and cell.cell_type == "markdown":
            cell.attachments = answers.attachments[cell.id]
    return notebook


def _matches(
    wanted: Sequence[NotebookNode], cells: Sequence[GivenCell], lab_ids: set[str]
) -> dict[str, int]:
    """Which student's cell answers which: the strongest pair first, each cell once."""
    own = {cell.id for cell in wanted}
    pairs = []
    for place, cell in enumerate(wanted):
        for index, given in enumerate(cells):
            if given.name in lab_ids - own and given.kind != "raw":
                continue  # another cell of the lab
            strength = _strength(cell, given)
            if strength:
                pairs.append((strength, index, -place))
    matches: dict[str, int] = {}
    for _, index, place in sorted(pairs, reverse=True):
        name = wanted[-place].id
        if name not in matches and index not in matches.values():
            matches[name] = index
    return matches


def _strength(cell: NotebookNode, given: GivenCell) -> float:
    """How strongly signs say that ``given`` answers ``cell``; 0 if none does."""
    names, given_names = _defined(cell.source), _defined(given.source)
    label = (str(cell_info(cell)["role"]), str(cell_info(cell).get("id", "")))
    signs = (
        DEFINES * (cell.cell_type == "code" and bool(names) and names <= given_names)
        + SAME_ID * (given.name == cell.id)
        + SAME_LABEL * (bool(label[1]) and given.label == label)
        + SAME_START * (len(_first(cell.source)) > 10 and _first(cell.source) == _first(given.source))
    )
    likeness = _likeness(cell.source, given.source)
    if not signs and likeness < ALIKE:
        return 0.0
    return signs + likeness + CHANGED * (given.source.strip() not in ("", cell.source.strip()))


def _defined(source: str) -> set[str]:
    """The names that a cell's functions and assignments at the margin define, syntax errors or not."""
    return {first or second for first, second in DEFINITION.findall(source)}


def _first(source: str) -> str:
    return source.strip().partition("\n")[0].strip()


def _likeness(left: str, right: str) -> float:
    """The share of lines in common, 0 to 1, whatever their order; cheap, since a file may hold anything."""
    one, other = _lines(left), _lines(right)
    return 2 * (one & other).total() / max(1, one.total() + other.total())


@functools.lru_cache(maxsize=4096)
def _lines(source: str) -> Counter[str]:
    """The first 300 lines, without blanks around them."""
    return Counter(line.strip() for line in source.splitlines()[:300] if line.strip())


def _by_position(
    lab: Sequence[NotebookNode],
    wanted: Sequence[NotebookNode],
    cells: Sequence[GivenCell],
    known: dict[str, int],
) -> dict[str, int]:
    """Answers that no sign tells: the only strange cell of its kind between two known cells."""
    places = {given.name: index for index, given in enumerate(cells)} | known
    order = [cell.id for cell in lab]
    taken, found = set(known.values()), {}
    for cell in wanted:
        if cell.id in known:
            continue
        at = order.index(cell.id)
        before = next((places[name] for name in reversed(order[:at]) if name in places), -1)
        after = next((places[name] for name in order[at + 1 :] if name in places), len(cells))
        strange = [
            index
            for index in range(before + 1, after)
            if index not in taken and cells[index].name not in order and cells[index].kind == cell.cell_type
        ]
        if len(strange) == 1 and cells[strange[0]].source.strip():
            found[cell.id] = strange[0]
            taken.add(strange[0])
    return found


def _oddities_of(cell: NotebookNode, given: GivenCell) -> list[str]:
    """What is odd about one answer."""
    odd = []
    if given.name != cell.id:
        other = f"its id is {given.name!r}" if given.name else "has no id"
        odd.append(f"{cell.id}: {other}; found by what it holds")
    if given.kind != cell.cell_type:
        odd.append(f"{cell.id}: is a {given.kind} cell; read as {cell.cell_type}")
    return odd


def _oddities_of_all(
    lab: Sequence[NotebookNode], cells: Sequence[GivenCell], matches: Mapping[str, int], known: set[str]
) -> list[str]:
    """What is odd about the notebook as a whole."""
    ids = Counter(given.name for given in cells)
    order = [cell.id for cell in lab if cell.id in ids]
    missing = [cell.id for cell in lab if cell.id not in ids and cell.id not in matches]
    sources = {given.name: given.source.strip() for given in cells}
    edited = [
        cell.id
        for cell in lab
        if cell_info(cell).get("role") in ("setup", "check")
        and sources.get(cell.id, cell.source) != cell.source
    ]
    added = [
        index
        for index, given in enumerate(cells)
        if given.kind == "code" and given.source and given.name not in known
    ]
    extra = len(set(added) - set(matches.values()))
    prefix = Counter(name[:3] for name in ids if re.match(r"\d\d-", name)).most_common(1)
    odd = []
    if not order and prefix and not matches:
        odd.append(f"none of this lab's cells are in it: it looks like lab {prefix[0][0][:2]}")
    elif missing:
        odd.append(f"{len(missing)} of the lab's cells are missing ({_listed(missing)})")
    twice = [name for name in order if ids[name] > 1]
    if twice:
        odd.append(f"several cells have the id {_listed(twice)}; a changed one counts, else the last")
    if edited:
        odd.append(f"changed, so that the lab's own is used: {_listed(edited)}")
    if order != [name for name in dict.fromkeys(given.name for given in cells) if name in set(order)]:
        odd.append("the cells stand in another order")
    return odd + ([f"{extra} added code cells are not run"] if extra > 0 else [])


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
