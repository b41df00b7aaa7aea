"""Results of labs that were executed on other data than the recorded ones: tables as JSON, and pages.

A run's folder has ``executed/`` with the notebooks, ``tables.json``, ``markdown/`` and ``html/``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from labkit.course.notebook.normal_form import to_bytes
from labkit.course.notebook.structure import WRITTEN_ROLES, cell_role, code_cells, question
from labkit.course.reports.executed import (
    displayed_tables,
    notebook_paths,
    notebook_title,
    read_executed,
    status,
)
from labkit.course.reports.markdown_report import write_markdown
from labkit.course.reports.site import render_all
from labkit.files import write_atomically

__all__ = [
    "TABLES",
    "DataRun",
    "LabTables",
    "executed_folder",
    "read_run",
    "require_same_data",
    "write_run",
]

TABLES = "tables.json"
LOADS_IMAGES = "load_dataset("  # what the code of a lab on images has
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
NOTE = "> Executed on {label}. The lab's texts describe photodigits; only the outputs are about these data."
NOT_ANSWERED = "*The author's answer is about the recorded results, on photodigits. It stands in the lab.*"


@dataclass(frozen=True)
class LabTables:
    """What one lab displayed; ``failure`` says why it ended early, None if it did not.

    Each table is the data that :func:`labkit.tables.table_bundle` makes: title, columns, rows, digits.
    """

    title: str
    tables: list[Mapping[str, Any]]
    failure: str | None = None


@dataclass(frozen=True)
class DataRun:
    """The tables of labs on one data set.

    Attributes:
        data: the name of the data set, for headers.
        budget: how long networks were trained (:func:`labkit.settings.budget`).
        labs: by the notebook's name, ``NN_slug``.
    """

    data: str
    budget: str
    labs: Mapping[str, LabTables]

    @property
    def label(self) -> str:
        """The data set, and the budget unless it is the full one."""
        return self.data if self.budget == "full" else f"{self.data}, budget {self.budget}"


def executed_folder(folder: Path) -> Path:
    """Return where the executed notebooks of a run lie."""
    return folder / "executed"


def require_same_data(folder: Path, data: str, budget: str) -> None:
    """Refuse a folder that holds results of other data or of another budget.

    Raises:
        ValueError: if it does, or its tables are damaged.
    """
    if not (folder / TABLES).is_file():
        return
    present, asked = read_run(folder / TABLES), DataRun(data, budget, {})
    if present.label != asked.label:
        raise ValueError(
            f"{folder} holds results on {present.label}, not on {asked.label}; name another folder with --out."
        )


def write_run(folder: Path, data: str, budget: str) -> list[Path]:
    """Write tables and pages of the notebooks in ``folder/executed``.

    What an author wrote about the recorded results is taken out of those notebooks, since it does not
    describe these, and the data set is named in each lab's title.

    Args:
        folder: of the run.
        data: the name of the data set, for headers.
        budget: how long networks were trained.

    Returns:
        The tables and the pages, the index last.

    Raises:
        ValueError: if a notebook is missing or cannot be read.
    """
    executed, run = executed_folder(folder), DataRun(data, budget, {})
    labs = {}
    for path in notebook_paths(executed):
        notebook = _about(read_executed(path), run.label)
        write_atomically(path, to_bytes(notebook))
        state, reason = status(notebook)
        failure = None if state == "executed" else reason
        labs[path.stem] = LabTables(
            notebook_title(path.stem, notebook), displayed_tables(notebook), failure
        )
    text = json.dumps(asdict(replace(run, labs=labs)), indent=1, ensure_ascii=False)
    write_atomically(folder / TABLES, f"{text}\n".encode())
    pages = [*write_markdown(executed, folder / "markdown"), *render_all(executed, folder / "html")]
    return [folder / TABLES, *pages]


def read_run(path: Path) -> DataRun:
    """Read the tables of a run.

    Raises:
        ValueError: if the file is not one that :func:`write_run` wrote.
    """
    try:
        facts = json.loads(path.read_bytes())
        labs = {stem: LabTables(**lab) for stem, lab in facts["labs"].items()}
        return DataRun(str(facts["data"]), str(facts["budget"]), labs)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path} is damaged ({type(error).__name__}: {error}); delete it and run the labs again."
        ) from error


def _about(notebook: NotebookNode, label: str) -> NotebookNode:
    """Name the data in the title, and keep of the author's conclusions only the questions.

    Claims go too: they say what holds for the recorded results. A lab that loads no images computes the
    same on any data and stays as it is. The operation is idempotent: the notebooks of earlier runs are in
    the folder, too.
    """
    if not any(LOADS_IMAGES in cell.source for cell in code_cells(notebook)):
        return notebook
    note = NOTE.format(label=label)
    notebook.cells = [cell for cell in notebook.cells if cell_role(cell) != "claim"]
    texts = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    if texts and note not in texts[0].source:
        texts[0].source = TITLE.sub(lambda match: f"# {match[1]}, on {label}\n\n{note}", texts[0].source, 1)
    for cell in texts:
        if cell_role(cell) in WRITTEN_ROLES:
            asked = question(cell.source)
            cell.source = f"{asked}\n\n{NOT_ANSWERED}" if asked else NOT_ANSWERED
    return notebook
