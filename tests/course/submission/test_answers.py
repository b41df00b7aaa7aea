"""Answers are answers in any submitted file, and nothing but answers is taken from it."""

from __future__ import annotations

import json

import hostile
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.course.submission import answers
from labkit.course.submission.answers import collect_answers, insert_answers
from labkit.course.submission.cells import read_cells

LAB = hostile.small_class_lab()
TODOS = {f"{name.replace('.', '-')}-todo": source for name, source in hostile.SOLUTIONS.items()}


def as_bytes(notebook):
    return json.dumps(notebook).encode()


def answers_of(notebook):
    return {name: collect_answers(as_bytes(notebook), LAB).sources.get(name) for name in TODOS}


def test_a_whole_notebook_gives_every_answer_and_no_warning():
    answers = collect_answers(as_bytes(hostile.solved(LAB)), LAB)
    assert {name: answers.sources[name] for name in TODOS} == TODOS
    assert answers.warnings == []


def test_the_rebuilt_notebook_has_the_labs_own_checks_and_no_hidden_cell_or_output():
    notebook = hostile.solved(LAB)
    for cell in notebook.cells:
        if cell.id not in TODOS:
            cell.source = "tampered"
    rebuilt = insert_answers(LAB, collect_answers(as_bytes(notebook), LAB))
    roles = [cell.metadata["labkit"]["role"] for cell in rebuilt.cells]
    assert "hidden" not in roles
    assert hostile.cell_of(rebuilt, "99-1-todo").source == TODOS["99-1-todo"]
    tampered = [cell.id for cell in rebuilt.cells if cell.source == "tampered"]
    assert tampered == ["99-why"]  # a written answer is the student's


def test_of_two_cells_with_one_id_the_changed_one_counts():
    notebook = hostile.solved(LAB)
    stub = hostile.cell_of(hostile.solved_nothing(notebook), "99-1-todo")
    for cells in ([stub, *notebook.cells], [*notebook.cells, stub]):
        assert answers_of({**notebook, "cells": cells}) == TODOS


def test_of_two_changed_cells_with_one_id_the_last_counts():
    notebook = hostile.solved(LAB)
    again = {**hostile.cell_of(notebook, "99-1-todo"), "source": "def double(x):\n    return x + x"}
    answers = answers_of({**notebook, "cells": [*notebook.cells, again]})
    assert answers == {**TODOS, "99-1-todo": again["source"]}


def test_a_cell_with_the_id_of_another_one_is_found_by_what_it_defines():
    notebook = json.loads(as_bytes(hostile.solved(LAB)))
    for cell in notebook["cells"][1:]:
        cell["id"] = notebook["cells"][0]["id"]  # a text of the lab
    assert answers_of(notebook) == TODOS


def test_an_answer_without_any_sign_is_found_by_its_position():
    notebook = hostile.solved(LAB)
    cell = hostile.cell_of(notebook, "99-2-todo")
    cell.id, cell.metadata, cell.source = "x", {}, "threefold = lambda x: 3 * x"
    answers = collect_answers(as_bytes(notebook), LAB)
    assert answers.sources["99-2-todo"] == cell.source
    assert any("found by its content" in warning for warning in answers.warnings)


def test_a_source_may_be_a_list_of_lines():
    notebook = json.loads(as_bytes(hostile.solved(LAB)))
    for cell in notebook["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)
    assert answers_of(notebook) == TODOS


def test_only_pictures_are_taken_of_attachments():
    notebook = hostile.solved(LAB)
    cell = hostile.cell_of(notebook, "99-why")
    cell.attachments = {"a.png": {"image/png": "QQ==", "text/html": "<script>"}, "b": 3}
    answers = collect_answers(as_bytes(notebook), LAB)
    assert answers.attachments["99-why"] == {"a.png": {"image/png": "QQ=="}}


@given(st.binary(max_size=400))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_any_bytes_give_warnings_in_words_or_no_answer(content):
    answers = collect_answers(content, LAB)
    assert answers.sources == {}
    assert answers.warnings


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["id", "source", "metadata", "labkit", "role", "attachments"]), inner)
)  # fmt: skip


@given(st.lists(JSON, max_size=6))
@settings(deadline=None, derandomize=True, max_examples=150)
def test_any_cells_can_be_read(cells):
    warnings: list[str] = []
    for cell in read_cells(json.dumps({"cells": cells}).encode(), warnings):
        assert isinstance(cell.source, str)
    assert isinstance(collect_answers(json.dumps({"cells": cells}).encode(), LAB).warnings, list)


def test_a_notebook_of_very_many_cells_is_read_in_part_and_said():
    cells = [{"cell_type": "code", "source": f"x = {number}", "id": str(number)} for number in range(3000)]
    answers = collect_answers(json.dumps({"cells": cells}).encode(), LAB)
    assert any("3000 cells" in warning for warning in answers.warnings)


def test_every_field_can_be_stored_and_shown_whatever_the_file_holds():
    """JSON can hold half of a surrogate pair, which no file and no page can."""
    half = "\ud800\n"
    cell = {
        "cell_type": half,
        "id": half,
        "source": half,
        "metadata": {"labkit": {"role": half, "id": half}},
        "attachments": {half: {"image/png": half, "image/gif": "R0lGOD"}},
    }
    (cell_read,) = read_cells(json.dumps({"cells": [cell]}).encode(), [])
    assert "\ud800" not in repr(cell_read)
    repr(cell_read).encode()
    assert cell_read.kind == "unknown"
    assert [set(bundle) for bundle in cell_read.attachments.values()] == [{"image/gif"}]


def test_the_signs_of_a_cell_are_worked_out_once(monkeypatch):
    """A file may hold 20 MB of cells; to search each for every cell of the lab took a minute."""
    searched = []

    class Counting:
        def findall(self, source):
            searched.append(source)
            return []

    monkeypatch.setattr(answers, "DEFINITION", Counting())
    cells = [{"cell_type": "code", "id": str(number), "source": f"a = {number}"} for number in range(200)]
    collect_answers(json.dumps({"cells": cells}).encode(), LAB)
    assert len(searched) <= len(cells) + len(LAB.cells)
