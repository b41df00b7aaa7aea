"""The Markdown that a course asks for: tables and written answers under the lab's headings."""

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode

from labkit.course.reports.markdown_report import write_markdown
from labkit.tables import table_bundle


def cell(role: str, source: str, *data: dict[str, object]) -> NotebookNode:
    metadata = {"labkit": {"role": role}}
    if role in ("text", "reading", "answer"):
        return nbformat.v4.new_markdown_cell(source, metadata=metadata)
    outputs = [nbformat.v4.new_output("display_data", data=each) for each in data]
    return nbformat.v4.new_code_cell(source, metadata=metadata, outputs=outputs)


def save(path: Path, *cells: NotebookNode) -> None:
    path.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)


def test_tables_and_written_answers_stand_under_the_headings_they_belong_to(tmp_path: Path) -> None:
    table = table_bundle("Sizes", ["layer", "bytes"], [["conv1", 432]])
    save(
        tmp_path / "executed" / "02_pruning.ipynb",
        cell("text", "# Lab 02: Pruning\n\nAims."),
        cell("text", "## 02.1 A mask\n\nLong text."),
        cell("todo", "def mask(): ..."),
        cell("text", "## 02.2 Sizes\n\n```\n## a comment in code\n```"),
        cell("run", "show_table(…)", table),
        cell("run", "draw()", {"image/png": "aaaa", "text/plain": "Figure: bytes by layer"}),
        cell("answer", "**02.2 (4 points). Why?**\n\nBecause of the positions.\n"),
        cell("claim", "claim(…)", {"text/plain": "holds"}),
    )
    (written,) = write_markdown(tmp_path / "executed", tmp_path / "out")
    assert written == tmp_path / "out" / "02_pruning.md"
    assert written.read_text(encoding="utf-8") == (
        "# Lab 02: Pruning\n\n## 02.2 Sizes\n\n"
        "**Sizes**\n\n| layer | bytes |\n| --- | ---: |\n| conv1 | 432 |\n\n"
        "*Figure: bytes by layer*\n\n"
        "**02.2 (4 points). Why?**\n\nBecause of the positions.\n"
    )


def test_a_notebook_that_cannot_be_read_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    save(tmp_path / "executed" / "01_sparse.ipynb", cell("text", "# Lab 01"))
    (tmp_path / "executed" / "02_broken.ipynb").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"02_broken\.ipynb: not "):
        write_markdown(tmp_path / "executed", tmp_path / "out")
    assert not (tmp_path / "out").exists()
