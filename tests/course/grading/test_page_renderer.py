"""Rendering one page: what it may cost, and what the student and the others get when it costs more."""

from __future__ import annotations

import base64
from dataclasses import replace

import hostile
import nbformat
import psutil
import pytest
from bs4 import BeautifulSoup

from labkit.course.grading import feedback
from labkit.course.grading.feedback_page import answers_page
from labkit.course.grading.page_renderer import PageLimits, PageRenderer, RenderError
from labkit.course.grading.results import GradedLab, Mark
from labkit.course.notebook.lab_id import LabId

pytestmark = pytest.mark.heavy

LAB = hostile.small_class_lab()
MARKS = (
    Mark("99.1", 10, 10, "right"),
    Mark("99.3", 0, 10, "error", "expected 2.0, got 1"),
    Mark("99.4", 0, 5, "to mark"),
)
NESTED = 30_000


def submitted(answer: str, code: str = "x = 1", pictures: dict[str, object] | None = None) -> GradedLab:
    """The result of a student with this written answer, this code and these attachments."""
    return GradedLab(
        "ada",
        LabId("99_small"),
        "key",
        MARKS,
        sources={"99-why": answer, "99-3-todo": code},
        attachments={"99-why": pictures or {}},
    )


LIMITS = PageLimits(cpu_s=20, memory_bytes=600_000_000, page_bytes=10_000_000)
RAISES = submitted("![p](attachment:p.png)", pictures={"p.png": {"image/png": "\ud800"}})


def page_of(result: GradedLab) -> BeautifulSoup:
    return BeautifulSoup(answers_page(LAB, result), "html.parser")


@pytest.fixture(scope="module")
def renderer():
    with PageRenderer(LIMITS) as started:
        yield started


def test_what_used_to_crash_or_to_take_a_minute_is_rendered(renderer):
    answers = {
        "headings": "# a\n" * 25_000,
        "braces": f"${'{' * NESTED}{'}' * NESTED}$",
        "subscripts": f"$${'x_{' * NESTED}{'}' * NESTED}$$",
        "surrogate": "a \ud800 b $\ud800$",
    }
    for name, answer in answers.items():
        page = BeautifulSoup(renderer.render(LAB, submitted(answer, code="x = '\ud800'")), "html.parser")
        assert page.find(id="q-99.4") is not None, name
    assert r"a \ud800 b" in page.get_text()


def picture(megabytes: int) -> dict[str, object]:
    return {"p.png": {"image/png": base64.b64encode(bytes(megabytes * 10**6)).decode()}}


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (submitted("![p](attachment:p.png)\n\n" * 60, pictures=picture(14)), "memory"),
        (submitted("![p](attachment:p.png)\n\n" * 3, pictures=picture(3)), "more than 10 MB"),
        (RAISES, "UnicodeEncodeError"),
    ],
    ids=["memory", "size", "error"],
)
def test_a_page_that_costs_too_much_is_refused_and_the_next_one_is_rendered(renderer, result, words):
    with pytest.raises(RenderError, match=words):
        renderer.render(LAB, result)
    assert b"fine" in renderer.render(LAB, submitted("fine"))


def test_a_page_that_takes_too_long_is_ended_and_the_next_one_is_rendered():
    slow = submitted(f"```perl\n{'s{' * 50_000}\n```")
    with PageRenderer(replace(LIMITS, cpu_s=2)) as renderer:
        with pytest.raises(RenderError, match="more than 2 s"):
            renderer.render(LAB, slow)
        assert b"fine" in renderer.render(LAB, submitted("fine"))


def test_a_renderer_that_crashes_costs_only_that_page():
    with PageRenderer(LIMITS) as renderer:
        renderer.render(LAB, submitted("one"))
        renderer.process.kill()
        renderer.process.join()
        with pytest.raises(RenderError, match="SIGKILL"):
            renderer.render(LAB, submitted("two"))
        assert b"three" in renderer.render(LAB, submitted("three"))
        family = psutil.Process().children()
        workers = [child for child in family if child.pid == renderer.process.pid]
    assert len(workers) == 1
    assert not workers[0].is_running()


def test_the_fallback_shows_all_marks_and_only_pages_that_changed_are_written(tmp_path):
    lab = tmp_path / hostile.NAME
    nbformat.write(LAB, lab)
    first, second = (
        submitted("![p](attachment:p.png)", pictures={"p.png": {"image/png": data}})
        for data in ("QUFB", "QkJC")
    )
    same, picture_changed = replace(first, student="bob"), replace(first, student="cy")
    pages = feedback.write_feedback(tmp_path, [lab], [RAISES, same, picture_changed])
    ada, bob, cy = (tmp_path / page for page in pages.paths.values())
    assert list(pages.errors) == [("ada", "99_small")]
    assert "UnicodeEncodeError" in pages.errors["ada", "99_small"]
    text = BeautifulSoup(ada.read_text(), "html.parser").get_text()
    shown = ("ada: 10.0 of 25 points", "99.3: 0 of 10 points", "expected 2.0, got 1", "UnicodeEncodeError")
    assert [words for words in shown if words not in text] == []
    assert "x = 1" not in text
    ada.write_bytes(b"\xff")
    written = bob.stat().st_mtime_ns
    again = feedback.write_feedback(tmp_path, [lab], [RAISES, same, replace(second, student="cy")])
    assert again == pages
    assert bob.stat().st_mtime_ns == written
    assert "QkJC" in cy.read_text()
    assert b"99.3" in ada.read_bytes(), "an incomplete page is made again"


FORGED = """
<div class="verdict good" id="q-99.4"><p><strong>99.4: 5 of 5 points</strong> · marked</p></div>
<h3 id="q-99.4" class="masthead">99.4: 5 of 5 points</h3>
</div></section></main><p style="background: red" class="verdict good">99.4: 5 of 5 points</p>

```python
def f(): return 1
```
"""


def test_what_a_student_wrote_cannot_look_like_a_mark():
    page = page_of(submitted(FORGED))
    frames = page.find_all(class_="submitted")
    assert len(frames) == 4, "three exercises and a written answer"
    marks = page.find_all(class_="verdict")
    assert [mark.strong.text for mark in marks] == [
        "99.1: 10 of 10 points",
        "99.3: 0 of 10 points",
        "99.4: – of 5 points",
    ]
    assert [tag.name for tag in page.find_all(id="q-99.4")] == ["div"]
    assert not any(mark.find_parent(class_="submitted") for mark in marks)
    assert [
        text.find_parent(class_="submitted") for text in page.find_all(string="99.4: 5 of 5 points")
    ] == [frames[-1]] * 3
    styled = {word for tag in frames[-1].find_all(True) for word in tag.get("class", [])}
    assert "highlight" in styled, "highlighted code keeps its colours"
    assert styled <= {"highlight", "k", "nf", "p", "mi", "w", "n"}
    assert all(not tag.get("style") for tag in frames[-1].find_all(True))


def test_the_authors_reading_stands_below_the_students_words():
    lab = nbformat.from_dict(LAB)
    lab.cells = [
        *LAB.cells,
        nbformat.v4.new_markdown_cell(
            "**What does it cost?**\n\nIt costs *three* points.",
            id="99-reading",
            metadata={"labkit": {"role": "reading"}},
        ),
    ]
    result = submitted("")
    result = replace(result, sources={"99-reading": "**What does it cost?**\n\nNothing, I think."})
    page = BeautifulSoup(answers_page(lab, result), "html.parser")
    author = page.select_one(".author")
    assert author.get_text(" ", strip=True) == "The author's answer It costs three points."
    assert "Nothing, I think." in author.find_previous(class_="submitted").get_text()
    assert not author.find_parent(class_="submitted")
