"""Give cells their ids back after an editor has removed or repeated them.

Notebooks of format 4.0 to 4.4, as Colab and older editors save them, have no ids; a cell that was copied
in a text editor has the id of another. labkit recognises a cell by its id.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import nbformat
from nbformat import NotebookNode

__all__ = ["Slot", "match_by_position", "repair_ids", "restore_ids"]

MADE_UP = "number-"  # begins an id that was made up; the cell's place in the notebook follows
MIN_FIRST_LINE = 10  # characters; a shorter first line says nothing


class Slot(NamedTuple):
    """A cell as :func:`match_by_position` sees it: its id and whether it is code, Markdown or raw."""

    name: str
    kind: str


def repair_ids(content: dict[str, Any]) -> None:
    """Give every cell of a notebook's JSON an id of its own, in place; the first cell with an id keeps it."""
    if content.get("nbformat") != 4:
        return
    minor, cells = content.get("nbformat_minor"), content.get("cells")
    content["nbformat_minor"] = max(5, minor) if isinstance(minor, int) else 5
    if not isinstance(cells, list):
        return
    used = {cell["id"] for cell in cells if isinstance(cell, dict) and isinstance(cell.get("id"), str)}
    taken: set[str] = set()
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            continue
        name = cell.get("id")
        if not isinstance(name, str) or name in taken:
            name = f"{MADE_UP}{number}"
            while name in used:
                name += "-2"
            cell["id"] = name
            used.add(name)
        taken.add(name)


def restore_ids(notebook: NotebookNode, released: NotebookNode) -> NotebookNode:
    """Return the notebook with the released cells' ids and labels where :func:`repair_ids` made ids up.

    Such a cell is recognised by the id that Colab keeps in its metadata, by its labels, its text, its
    first line, or because no other cell can be what is missing between two known cells. A cell that is
    none of the release's keeps the id that was made up.
    """
    restored = nbformat.from_dict(notebook)
    places = {cell.id: place for place, cell in enumerate(restored.cells)}
    kept = {cell.id: places[cell.id] for cell in released.cells if cell.id in places}
    missing = [cell for cell in released.cells if cell.id not in places]
    made_up = {place for name, place in places.items() if name.startswith(MADE_UP)}
    if not made_up or not missing:
        return restored
    matches: dict[str, int] = {}
    for same in (_same_old_id, _same_labels, _same_text, _same_first_line):
        for cell in missing:
            left = sorted(made_up - set(matches.values()))
            place = next((place for place in left if same(restored.cells[place], cell)), None)
            if place is not None:
                matches.setdefault(cell.id, place)
    matches |= match_by_position(
        [Slot(cell.id, cell.cell_type) for cell in released.cells],
        [cell.id for cell in missing if cell.id not in matches],
        [Slot(cell.id, cell.cell_type) for cell in restored.cells],
        {**kept, **matches},
    )
    by_id = {cell.id: cell for cell in missing}
    for name, place in matches.items():
        cell = restored.cells[place]
        cell.id = name
        cell.metadata = nbformat.from_dict({**cell.metadata, **by_id[name].metadata})
    return restored


def match_by_position(
    order: Sequence[Slot], missing: Collection[str], cells: Sequence[Slot], places: Mapping[str, int]
) -> dict[str, int]:
    """Pair cells of a lab with the only cell of their type that stands between two known cells.

    Args:
        order: the lab's cells.
        missing: the ids of the lab's cells to find.
        cells: the student's cells.
        places: the places in ``cells`` of the lab's cells that were found.

    Returns:
        The places of those that this finds, by id.
    """
    names = [slot.name for slot in order]
    kinds = dict(order)
    taken = set(places.values())
    matches: dict[str, int] = {}
    for name in missing:
        at = names.index(name)
        before = next((places[other] for other in reversed(names[:at]) if other in places), -1)
        after = next((places[other] for other in names[at + 1 :] if other in places), len(cells))
        candidates = [
            place
            for place in range(before + 1, after)
            if place not in taken and cells[place].name not in kinds and cells[place].kind == kinds[name]
        ]
        if len(candidates) == 1:
            matches[name] = candidates[0]
            taken.add(candidates[0])
    return matches


def _same_old_id(cell: NotebookNode, released: NotebookNode) -> bool:
    return bool(cell.metadata.get("id") == released.id)


def _same_labels(cell: NotebookNode, released: NotebookNode) -> bool:
    description = released.metadata.get("labkit", {})
    return bool("id" in description and cell.metadata.get("labkit") == description)


def _same_text(cell: NotebookNode, released: NotebookNode) -> bool:
    return bool(_kind_and_text(cell) == _kind_and_text(released))


def _same_first_line(cell: NotebookNode, released: NotebookNode) -> bool:
    first = [text.partition("\n")[0].strip() for _, text in map(_kind_and_text, (cell, released))]
    return first[0] == first[1] and len(first[0]) > MIN_FIRST_LINE and cell.cell_type == released.cell_type


def _kind_and_text(cell: NotebookNode) -> tuple[str, str]:
    return cell.cell_type, cell.source.strip()
