"""Written answers: one page per question, and a table of marks that is filled in and read back."""

from __future__ import annotations

import csv

import hostile
import pytest
from bs4 import BeautifulSoup

from labkit.course.grading.answer_sheets import MARKS, write_answer_sheets
from labkit.course.grading.gradebook import apply_manual_marks
from labkit.course.grading.results import GradedLab, Mark
from labkit.course.grading.scoring import written_questions
from labkit.course.notebook.lab_id import LabId

LAB = LabId("99_small")
SOURCE = hostile.small_class_lab()
((NAME, CELL),) = written_questions(SOURCE).items()
MOST = CELL.metadata.labkit.points


def _result(student: str, text: str | None, **fields: object) -> GradedLab:
    status = "missing" if text is None else "to mark"
    sources = {} if text is None else {CELL.id: text}
    marks = (Mark("99.1", 0, 10, "wrong"), Mark(NAME, 0, MOST, status))
    return GradedLab(student, LAB, "key", marks, sources=sources, **fields)


def _rows(table) -> list[dict[str, str]]:
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))


def _fill_in(table, student: str, points: str, reason: str = "") -> None:
    rows = _rows(table)
    for row in rows:
        if row["student"] == student:
            row |= {"points": points, "reason": reason}
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_every_answer_stands_on_the_page_of_its_question_and_in_the_table(tmp_path):
    results = [
        _result("zoe", "Because."),
        _result("ada", "<script>alert(1)</script>"),
        _result("bob", None),
    ]
    table = write_answer_sheets(tmp_path, {LAB: SOURCE}, results)
    (page,) = (tmp_path / "answers").glob("*.html")
    html = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")
    assert [heading.get_text() for heading in html.select(".written h2")] == ["ada", "zoe"]
    assert [answer.get_text() for answer in html.select(".submitted")] == [
        "<script>alert(1)</script>",
        "Because.",
    ]
    assert not html.find_all("script")
    assert html.select_one(".written a")["href"].startswith("../feedback/")
    assert _rows(table) == [
        {"student": name, "lab": "99", "question": NAME, "points": "", "max": f"{MOST:g}", "reason": ""}
        for name in ("ada", "zoe")
    ]


def test_marks_that_were_filled_in_are_read_back_and_kept(tmp_path):
    results = [_result("ada", "One."), _result("zoe", "Two.")]
    table = write_answer_sheets(tmp_path, {LAB: SOURCE}, results)
    _fill_in(table, "zoe", "2", "half of it")
    marked = {result.student: result.marks[1] for result in apply_manual_marks(results, tmp_path / MARKS)}
    assert marked["zoe"] == Mark(NAME, 2, MOST, "marked", "half of it")
    assert marked["ada"].status == "to mark"
    again = [_result("ada", "One."), _result("eve", "Three."), _result("zoe", "Two.")]
    rows = {row["student"]: row for row in _rows(write_answer_sheets(tmp_path, {LAB: SOURCE}, again))}
    assert list(rows) == ["ada", "eve", "zoe"]
    assert (rows["zoe"]["points"], rows["zoe"]["reason"], rows["eve"]["points"]) == ("2", "half of it", "")


def test_a_mark_of_an_answer_that_is_gone_is_not_lost(tmp_path):
    table = write_answer_sheets(tmp_path, {LAB: SOURCE}, [_result("ada", "One."), _result("zoe", "Two.")])
    _fill_in(table, "zoe", "2")
    rows = _rows(write_answer_sheets(tmp_path, {LAB: SOURCE}, [_result("ada", "One.")]))
    assert [(row["student"], row["points"]) for row in rows] == [("ada", ""), ("zoe", "2")]


def test_a_table_that_marks_an_answer_twice_is_refused_and_stays(tmp_path):
    results = [_result("ada", "One.")]
    table = write_answer_sheets(tmp_path, {LAB: SOURCE}, results)
    content = table.read_text(encoding="utf-8") + f"ada,99,{NAME},2,,\n"
    table.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"marks\.csv, line 3: .* is there twice"):
        write_answer_sheets(tmp_path, {LAB: SOURCE}, results)
    assert table.read_text(encoding="utf-8") == content
