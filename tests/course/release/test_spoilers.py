"""A release tells no result: numbers in outputs may not stand in what students read."""

from __future__ import annotations

import nbformat
import pytest
from small_labs import cell_of, code, small_lab

from labkit.course.notebook import structure
from labkit.course.release.spoilers import find_spoilers
from labkit.course.release.strip import strip


def _spoilers(text: str, output: str, *, role: str = "run", given=None, where: str = "text") -> list[str]:
    """Return what is found if a cell's ``text`` stands in a lab whose run prints ``output``."""
    lab = small_lab()
    if where == "text":
        told = nbformat.v4.new_markdown_cell(text, id="told", metadata={"labkit": {"role": "text"}})
    else:
        told = code("told", text, role=where)
    if given is not None:
        told.metadata.labkit["given"] = given
    labels = {"role": role} | ({"id": "99.1"} if role == "hidden" else {})
    run = code("a-run", "measured = experiment()", **labels)
    run.outputs = [nbformat.v4.new_output("stream", text=output)]
    lab.cells += [told, run]
    return find_spoilers(lab, strip(lab))


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("It loses 21.6 points.", "accuracy 21.6\n"),
        ("It loses 21.6 points.", "accuracy 21.5501\n"),
        ("36,864 weights are zero.", "zeros 36864\n"),
        ("36864 weights are zero.", "zeros 36,864\n"),
        ("The loss is 0.943.", "loss 0.94304\n"),
        ("After 997 steps.", "steps 997 of 2000\n"),
    ],
)
def test_a_number_of_an_output_in_a_text_is_found(text, output):
    number = next(word for word in text.split() if word[0].isdigit()).rstrip(".")
    assert _spoilers(text, output) == [f"cell told tells {number}, which a-run outputs"]


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("It loses 22 points.", "accuracy 22.0\n"),  # two digits
        ("It loses 21.7 points.", "accuracy 21.6\n"),
        ("All 2,000 images.", "2000 images\n"),  # round
        ("A map of 1,024 pixels.", "1024 pixels\n"),
        ("Published in 2015.", "loss 2014.6\n"),  # not an integer there
        ("$10^{123}$", "123 steps\n"),
        ("Exercise 04.10 follows.", "4.10\n"),
        ("In 99.1 you wrote it.", "99.1 ms\n"),  # the number of an exercise of this lab
        ("The bits 00110.", "110\n"),
    ],
)
def test_other_numbers_are_not_results(text, output):
    assert _spoilers(text, output) == []


@pytest.mark.parametrize("role", ["hidden", "claim", "summary", "run"])
def test_outputs_of_every_role_count(role):
    assert _spoilers("It is 123.4.", "123.4\n", role=role)


@pytest.mark.parametrize(
    "source",
    ['title = "It falls to 21.6 %"', "x = 1  # 21.6 per cent", 'def f():\n    """Gives 21.6."""'],
)
def test_strings_comments_and_docstrings_of_code_are_read(source):
    assert _spoilers(source, "21.6\n", where="run")


def test_a_literal_of_the_code_is_an_input_of_the_experiment():
    source = "reference = {80: 21.6}  # 21.6 was published"
    assert _spoilers(source, "reference 21.6\n", where="run") == []


def test_a_number_that_is_given_on_purpose_is_listed_in_the_cell():
    assert _spoilers("The layer has 36,864 weights.", "36864\n", given=[36864]) == []
    assert _spoilers("The layer has 36,864 weights.", "36864\n", given=[36863])


def test_a_list_of_given_numbers_holds_numbers_only():
    lab = small_lab()
    lab.cells[0].metadata.labkit["given"] = ["36864"]
    with pytest.raises(ValueError, match=r"given = \['36864'\]"):
        structure.require_structure(lab, "99_small.ipynb")


def test_the_authors_answer_is_not_in_a_release():
    lab = small_lab()
    source = "**What does it cost?**\n\nIt costs 21.6 points."
    lab.cells.append(
        nbformat.v4.new_markdown_cell(source, id="99-reading", metadata={"labkit": {"role": "reading"}})
    )
    released = cell_of(strip(lab), "99-reading")
    assert released.source == "**What does it cost?**\n\n*Write your answer here.*"
    assert not released.metadata.get("deletable", True)


@pytest.mark.parametrize("role", ["reading", "answer"])
def test_a_written_cell_without_a_question_is_refused(role):
    lab = small_lab()
    labels = {"role": role} | ({"id": "99.9"} if role == "answer" else {})
    lab.cells.append(nbformat.v4.new_markdown_cell("1. False: …", id="99-odd", metadata={"labkit": labels}))
    with pytest.raises(ValueError, match=r"cell 99-odd has the role .* but no question"):
        structure.require_structure(lab, "99_small.ipynb")
