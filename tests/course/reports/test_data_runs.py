"""Results on other data: what is written beside the notebooks, and the page that compares data sets."""

import json
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.course.reports.data_runs import TABLES, read_run, require_same_data, write_run
from labkit.course.reports.results_notes import ResultsNotes, read_notes
from labkit.course.reports.results_page import write_results
from labkit.tables import table_bundle

COLUMNS = ("q (%)", "zeros", "test (%)", "course A (%)")
TITLE = "The same q in every layer"


def table(*rows, columns=COLUMNS, title=TITLE):
    return new_output("display_data", table_bundle(title, columns, rows))


def notebook(*outputs):
    """A lab with one reading; the last output may be an error."""
    labels = {"labkit": {"id": "02-reading", "role": "reading"}}
    return new_notebook(
        cells=[
            new_markdown_cell("# Lab 02: Pruning\n\nThe images are digits.", id="title"),
            new_code_cell("run(load_dataset(10))", id="run", outputs=list(outputs), execution_count=1),
            new_code_cell(
                "claim('more than 90 %', False)", id="claim", metadata={"labkit": {"role": "claim"}}
            ),
            new_markdown_cell(
                "**What broke?**\n\nAt 80 % only 21.637 % are left.", id="r", metadata=labels
            ),
        ]
    )


def save(folder: Path, lab):
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(lab, folder / "02_pruning.ipynb")


@pytest.fixture
def recorded(tmp_path):
    """The recorded lab, on photodigits."""
    save(tmp_path / "labs", notebook(table((20, 5, 91.75, 90.87), (80, 9, 21.6, 10.03))))
    return tmp_path / "labs"


def run_on(folder, *outputs, data="CIFAR-10 re-encoded as JPEG", budget="steps"):
    save(folder / "executed", notebook(*outputs))
    return write_run(folder, data, budget)


def page(recorded, *folders, notes=ResultsNotes()):  # noqa: B008 -- frozen
    tables = [folder / TABLES for folder in folders]
    write_results(recorded, recorded.parent / "results.md", tables, notes)
    return (recorded.parent / "results.md").read_text(encoding="utf-8")


# What a run writes


def test_a_run_has_its_tables_as_json_and_pages_in_markdown_and_html(tmp_path):
    written = run_on(tmp_path / "run", table((20, 5, 80.5, 90.87)))
    names = [path.relative_to(tmp_path / "run").as_posix() for path in written]
    assert names == [TABLES, "markdown/02_pruning.md", "html/02_pruning.html", "html/index.html"]
    facts = json.loads((tmp_path / "run" / TABLES).read_bytes())
    assert (facts["data"], facts["budget"]) == ("CIFAR-10 re-encoded as JPEG", "steps")
    (shown,) = facts["labs"]["02_pruning"]["tables"]
    assert (shown["title"], shown["rows"]) == (TITLE, [[20, 5, 80.5, 90.87]])
    assert read_run(tmp_path / "run" / TABLES).labs["02_pruning"].failure is None


def test_pages_name_the_data_and_hold_no_answer_about_the_recorded_results(tmp_path):
    for _ in range(2):  # the second time the notebooks have been changed already
        written = write_run(tmp_path, "X", "full") if (tmp_path / TABLES).exists() else (
            run_on(tmp_path, table((20, 5, 80.5, 90.87)), data="X", budget="full")
        )  # fmt: skip
        for path in written[1:3]:
            text = path.read_text(encoding="utf-8")
            assert "Lab 02: Pruning, on X" in text
            assert "on X, on X" not in text
            assert "What broke?" in text
            assert "21.637" not in text
    assert [cell.id for cell in nbformat.read(tmp_path / "executed" / "02_pruning.ipynb", 4).cells] == [
        "title",
        "run",
        "r",
    ]


def test_a_lab_without_images_stays_as_it_is(tmp_path):
    lab = notebook(table((20, 5, 80.5, 90.87)))
    lab.cells[1].source = "run()"
    save(tmp_path / "executed", lab)
    write_run(tmp_path, "X", "full")
    assert nbformat.read(tmp_path / "executed" / "02_pruning.ipynb", 4) == lab


def test_a_lab_that_failed_is_recorded_with_its_reason(tmp_path):
    error = new_output("error", ename="ValueError", evalue="needs 100 classes", traceback=[])
    run_on(tmp_path, error)
    assert read_run(tmp_path / TABLES).labs["02_pruning"].failure == "ValueError: needs 100 classes"


@pytest.mark.parametrize("change", [{"data": "CIFAR"}, {"budget": "short"}])
def test_results_on_other_data_or_of_another_budget_are_not_mixed(tmp_path, change):
    run_on(tmp_path, table((20, 5, 80.5, 90.87)))
    asked = {"data": "CIFAR-10 re-encoded as JPEG", "budget": "steps"} | change
    with pytest.raises(
        ValueError, match=r"holds results on CIFAR-10 re-encoded as JPEG, budget steps, not"
    ):
        require_same_data(tmp_path, **asked)
    require_same_data(tmp_path, "CIFAR-10 re-encoded as JPEG", "steps")
    require_same_data(tmp_path / "new", **asked)


@pytest.mark.parametrize("content", ["", "{}", '{"data": "x", "budget": "", "labs": {"02": {"rows": 1}}}'])
def test_damaged_tables_are_refused_by_name(tmp_path, content):
    (tmp_path / TABLES).write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=r"tables\.json is damaged"):
        read_run(tmp_path / TABLES)


# docs/results.md


def test_without_another_run_the_title_names_the_data(recorded):
    assert f"**{TITLE} (photodigits)**" in page(recorded)


def test_data_sets_stand_side_by_side_and_each_column_that_differs_names_its_own(recorded, tmp_path):
    run_on(tmp_path / "a", table((20, 5, 80.5, 90.87), (80, 9, 15.25, 10.03)))
    run_on(tmp_path / "b", table((20, 5, 85.0, 90.87), (80, 9, 12.0, 10.03)), data="CIFAR", budget="full")
    text = page(recorded, tmp_path / "a", tmp_path / "b")
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == [
        "| q (%) | zeros | photodigits: test (%) | CIFAR-10 re-encoded as JPEG, budget steps: test (%) "
        "| CIFAR: test (%) | course A (%) |",
        "| ---: | ---: | ---: | ---: | ---: | ---: |",
        "| 20 | 5 | 91.75 | 80.50 | 85.00 | 90.87 |",
        "| 80 | 9 | 21.60 | 15.25 | 12.00 | 10.03 |",
    ]
    assert "(photodigits)" not in text


def test_a_table_that_a_run_does_not_have_is_marked_with_the_reason(recorded, tmp_path):
    error = new_output("error", ename="ValueError", evalue="needs 100 classes.", traceback=[])
    run_on(tmp_path / "a", error)
    text = page(recorded, tmp_path / "a")
    assert "CIFAR-10 re-encoded as JPEG, budget steps: not run (ValueError: needs 100 classes).\n" in text
    assert f"**{TITLE} (photodigits)**" in text
    for path in (tmp_path / "a" / "executed").iterdir():
        path.rename(path.with_name("03_other.ipynb"))
    write_run(tmp_path / "a", "Z", "full")
    assert "\nZ: not run.\n" in page(recorded, tmp_path / "a")


def test_a_table_of_another_shape_stands_below_under_the_name_of_its_data(recorded, tmp_path):
    run_on(tmp_path / "a", table((20, 5, 80.5, 90.87)), data="Y", budget="full")
    text = page(recorded, tmp_path / "a")
    assert text.index(f"**{TITLE} (photodigits)**") < text.index(f"**{TITLE} (Y)**")


def test_of_two_tables_with_one_title_each_is_compared_with_its_own(tmp_path):
    save(tmp_path / "labs", notebook(table((20, 5, 1.0, 90.0)), table((20, 5, 2.0, 90.0))))
    run_on(tmp_path / "a", table((20, 5, 3.0, 90.0)), table((20, 5, 4.0, 90.0)), data="Y", budget="full")
    text = page(tmp_path / "labs", tmp_path / "a")
    assert "| 1.00 | 3.00 |" in text
    assert "| 2.00 | 4.00 |" in text


def test_a_title_may_hold_another_number_and_then_the_table_stands_below_under_its_own(tmp_path):
    def lab(test, steps):
        return [table((20, 5, test, 90.0), title=f"{n} epochs, {n * steps:,} steps") for n in (5, 7)]

    save(tmp_path / "labs", notebook(*lab(1.0, 282)))
    run_on(tmp_path / "a", *lab(3.0, 1407), data="Y", budget="full")
    run_on(tmp_path / "b", *lab(4.0, 282), data="Z", budget="full")
    text = page(tmp_path / "labs", tmp_path / "a", tmp_path / "b")
    assert "not run" not in text
    assert [line for line in text.splitlines() if line.startswith("**")] == [
        "**5 epochs, 1,410 steps**",
        "**5 epochs, 7,035 steps (Y)**",
        "**7 epochs, 1,974 steps**",
        "**7 epochs, 9,849 steps (Y)**",
    ]


def test_a_table_that_a_run_lacks_is_not_mistaken_for_one_with_another_number(tmp_path):
    levels = [table((20, 5, 1.0, 90.0), title=f"At {level} %") for level in (80, 90)]
    save(tmp_path / "labs", notebook(*levels))
    run_on(tmp_path / "a", levels[1], data="Y", budget="full")
    text = page(tmp_path / "labs", tmp_path / "a")
    assert text.index("Y: not run.") < text.index("**At 90 %**")


# docs/results.toml


def read(tmp_path, text):
    (tmp_path / "results.toml").write_text(text, encoding="utf-8")
    return read_notes(tmp_path / "results.toml")


def entry(kind, **facts):
    return f"[[{kind}]]\n" + "".join(f"{key} = {value!r}\n" for key, value in facts.items())


def test_a_remark_stands_below_its_table(tmp_path, recorded):
    notes = read(tmp_path, entry("remark", lab="02", table=TITLE, text="Ours breaks later."))
    assert page(recorded, notes=notes).endswith("| 80 | 9 | 21.60 | 10.03 |\n\nOurs breaks later.\n")
    assert "Ours breaks later." not in page(recorded)


def test_further_tables_are_shown_without_a_column_of_others(tmp_path, recorded):
    alone = table((1, 2), columns=("q", "test (%)"), title="Ours alone")
    save(recorded, notebook(table((20, 5, 91.75, 90.87)), alone))
    assert "Ours alone" not in page(recorded)
    assert "Ours alone" in page(
        recorded, notes=read(tmp_path, entry("further", lab="02", table="Ours alone"))
    )


def test_a_lab_that_was_not_run_has_its_reason(tmp_path, recorded):
    run_on(tmp_path / "run", table((20, 5, 80.5, 90.87)))
    facts = json.loads((tmp_path / "run" / TABLES).read_bytes())
    facts["labs"] = {}
    (tmp_path / "run" / TABLES).write_text(json.dumps(facts))
    notes = read(tmp_path, entry("not_run", lab="02", reason="it takes a day"))
    assert "budget steps: not run (it takes a day)." in page(recorded, tmp_path / "run", notes=notes)
    assert "budget steps: not run." in page(recorded, tmp_path / "run")


@pytest.mark.parametrize("kind", ["remark", "further"])
def test_a_table_that_is_not_there_is_named(tmp_path, recorded, kind):
    notes = read(tmp_path, entry(kind, lab="02", table="Gone", text="x"))
    with pytest.raises(ValueError, match=r"results\.toml names the table 'Gone' of lab 02"):
        page(recorded, notes=notes)


@pytest.mark.parametrize("text", ["[[remark]]\nlab = '02'", "[[remarks]]", "= 1", "[remark]\nlab = '02'"])
def test_notes_of_another_form_are_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"results\.toml cannot be read .*\[\[remark\]\] needs lab"):
        read(tmp_path, text)


def test_without_a_file_there_are_no_notes(tmp_path):
    assert read_notes(tmp_path / "none.toml") == ResultsNotes()
