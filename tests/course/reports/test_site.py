"""Reports: pages that load nothing, an index that lists every notebook, and the results page."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from labkit.course.reports import page
from labkit.course.reports.results_page import write_results
from labkit.course.reports.site import TEMPLATES, render_all
from labkit.plots import figure
from labkit.tables import TABLE_MIME, table_bundle

pytestmark = pytest.mark.heavy

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\nany bytes").decode()
ALT = 'Accuracy "falls" for s > 60 %'
INTRO = (
    "# 02 Pruning *ResNet-20*\n\nAfter this lab you can:\n\n- remove **exactly** k weights,\n- explain why."
)


def markdown(source: str, **labkit: object) -> nbformat.NotebookNode:
    return new_markdown_cell(source, metadata={"labkit": labkit} if labkit else {})


def code(source: str, *outputs: nbformat.NotebookNode, **labkit: object) -> nbformat.NotebookNode:
    metadata = {"labkit": labkit} if labkit else {}
    return new_code_cell(source, outputs=list(outputs), execution_count=1, metadata=metadata)


def table(
    title: str = "Accuracy", columns: tuple[str, ...] = ("q (%)", "top-1 (%)"), *rows: tuple[object, ...]
) -> nbformat.NotebookNode:
    return new_output("display_data", data=table_bundle(title, columns, rows or [(20, 90.87)]))


def plot(data: dict[str, list[object]] | None = None, **metadata: object) -> nbformat.NotebookNode:
    bundle = {
        "image/png": PNG,
        "text/plain": "Figure: the cliff",
        page.FIGURE_MIME: {
            "title": "the cliff",
            "alt": ALT,
            "data": data or {"q": [1, 2, 3], "top-1": [0.5]},
        },
    }
    return new_output("display_data", data=bundle, metadata=metadata or {"image/png": {"alt": ALT}})


def lab() -> list[nbformat.NotebookNode]:
    return [
        markdown(INTRO),
        code("import torch", role="setup"),
        markdown("## Recap $w_i$\n\nA threshold $t < 1$ gives\n$$\\sum_{i=1}^n |w_i| \\le t$$\n"),
        markdown("## Recap $w_i$\n\n### Then [lab 01](01_sparse.ipynb) & [a site](https://example.org)"),
        code("def f(): ...", role="todo", id="02.1"),
        code("check('02.1', f)", new_output("stream", text="02.1 ok"), role="check", id="02.1", points=10),
        code("show()", plot()),
        code("show_table()", table()),
        code("summary()", table("Predicted and measured"), role="summary"),
    ]


def save(folder: Path, name: str, cells: list[nbformat.NotebookNode], **metadata: object) -> None:
    folder.mkdir(exist_ok=True)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    nbformat.write(new_notebook(cells=cells, metadata=metadata), folder / f"{name}.ipynb")


def render(tmp_path: Path, *cells: nbformat.NotebookNode) -> BeautifulSoup:
    """The page of a notebook with these cells."""
    save(tmp_path / "executed", "02_pruning", list(cells) or lab())
    render_all(tmp_path / "executed", tmp_path / "out")
    return parse(tmp_path / "out" / "02_pruning.html")


def parse(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


def entry(tmp_path: Path, title: str) -> Tag:
    """A lab's card on the index."""
    cards = parse(tmp_path / "out" / "index.html").select(".lab")
    return next(card for card in cards if title in card.h2.get_text())


def assert_loads_nothing(soup: BeautifulSoup) -> None:
    assert not soup.find_all(["script", "iframe", "object", "embed", "base", "form"])
    for tag in soup.find_all(True):
        assert not any(name.startswith("on") for name in tag.attrs), tag
        for name in {"src", "srcset", "poster", "data", "action", "background"} & set(tag.attrs):
            assert tag[name].startswith("data:image/"), tag
        assert tag.name == "a" or tag.get("href", "data:").startswith("data:"), tag
        assert not tag.get("href", "").startswith("javascript:"), tag
    for style in soup.find_all("style"):
        assert "@import" not in style.string
        assert "url(" not in style.string


def test_every_notebook_gets_a_page_and_the_index_comes_last(tmp_path: Path) -> None:
    save(tmp_path / "executed", "02_pruning", lab())
    save(tmp_path / "executed", "01_sparse", lab())
    written = render_all(tmp_path / "executed", tmp_path / "out")
    assert [path.name for path in written] == ["01_sparse.html", "02_pruning.html", "index.html"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in written
    )


def test_pages_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    assert_loads_nothing(render(tmp_path))
    assert_loads_nothing(parse(tmp_path / "out" / "index.html"))


def test_hostile_markdown_and_html_cannot_run_or_load(tmp_path: Path) -> None:
    hostile = (
        "# T\n\n<script>alert(1)</script><img src=x onerror=alert(1)>\n\n<iframe src='http://a.b'></iframe>\n\n"
        "![far](http://a.b/c.png) [x](javascript:alert(1)) <style>@import 'http://a.b';</style>\n\n"
        "$\\text{<img src=x onerror=alert(1)>}$ and $\\bad{<script>}$"
    )
    html = new_output("display_data", data={"text/html": hostile[5:], "application/javascript": "alert(1)"})
    svg = new_output("display_data", data={"image/svg+xml": "<svg onload='alert(1)'/>"})
    assert_loads_nothing(render(tmp_path, markdown(hostile), code("x", html, svg)))


def test_a_table_cell_with_markup_stays_text(tmp_path: Path) -> None:
    soup = render(tmp_path, code("x", table("T", ("a",), ("<script>alert(1)</script>",))))
    assert soup.select_one("table.labkit td").get_text() == "<script>alert(1)</script>"
    assert not soup.find_all("script")


def test_every_image_has_its_alt_text(tmp_path: Path) -> None:
    bare = plot(isolated=True)
    del bare.data[page.FIGURE_MIME]
    soup = render(tmp_path, *lab(), code("x", plot(isolated=True)), code("y", bare))
    assert [image["alt"] for image in soup.find_all("img")] == [ALT, ALT, "Figure: the cliff"]
    assert [image["alt"] for image in parse(tmp_path / "out" / "index.html").find_all("img")] == [ALT]


def test_a_figure_shows_its_numbers_once_and_pads_short_series(tmp_path: Path) -> None:
    soup = render(tmp_path)
    rows = [[cell.get_text() for cell in row.select("th, td")] for row in soup.select("figure tr")]
    assert rows == [["q", "top-1"], ["1", "0.5"], ["2", ""], ["3", ""]]
    assert soup.select_one("figure details summary").get_text() == "Data of figure 1"
    assert "Figure: the cliff" not in soup.get_text()


def test_columns_of_a_figure_keep_the_order_it_names(tmp_path: Path) -> None:
    output = plot({"b": [1], "a": [2]})
    output.data[page.FIGURE_MIME]["columns"] = ["b", "a"]
    assert [cell.get_text() for cell in render(tmp_path, code("x", output)).select("figure th")] == [
        "b",
        "a",
    ]


def test_a_table_is_shown_as_html_and_not_as_text_too(tmp_path: Path) -> None:
    soup = render(tmp_path, code("x", table()))
    region = soup.select_one("[role=region]")
    assert region["aria-label"] == region.caption.get_text() == "Accuracy"
    assert region["tabindex"] == "0"
    assert soup.get_text().count("90.87") == 1


def test_contents_lead_to_headings_that_exist_once(tmp_path: Path) -> None:
    soup = render(tmp_path)
    identifiers = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(identifiers) == len(set(identifiers))
    for contents in soup.select(".toc"):
        targets = [link["href"] for link in contents.select("li a")]
        assert targets == ["#s-recap", "#s-recap-2", "#s-then-lab-01-a-site"]
        assert {target[1:] for target in targets} <= set(identifiers)
    assert [soup.find(id=target[1:]).name for target in targets] == ["h2", "h2", "h3"]


def test_the_page_is_accessible_by_structure(tmp_path: Path) -> None:
    soup = render(tmp_path)
    for document in (soup, parse(tmp_path / "out" / "index.html")):
        assert document.html["lang"] == "en"
        assert len(document.find_all("h1")) == 1
        assert document.find(id=document.select_one("a.skip")["href"][1:]).name == "main"
        assert document.select_one("meta[name=viewport]")
    assert soup.h1.get_text() == soup.title.get_text() == "02 Pruning ResNet-20"


def test_a_second_heading_of_level_one_becomes_level_two(tmp_path: Path) -> None:
    soup = render(tmp_path, markdown("# One"), markdown("# Two"))
    assert [tag.get_text() for tag in soup.find_all(["h1", "h2"])] == ["One", "Two"]


def test_formulas_become_mathml(tmp_path: Path) -> None:
    soup = render(
        tmp_path, markdown("Inline $t < 1$ and\n$$\\frac{1}{n}$$\n\\begin{align}a&=b\\end{align}")
    )
    assert [math.get("display") for math in soup.find_all("math")] == [None, "block", "block"]
    assert soup.math.get_text() == "t<1"
    assert soup.find("mfrac")
    assert "$" not in soup.main.get_text()


def test_a_formula_that_is_wrong_is_shown_as_written(tmp_path: Path) -> None:
    soup = render(tmp_path, markdown("$\\nonsense{x}$ then $x$"))
    assert soup.select_one("code.tex").get_text() == "\\nonsense{x}"
    assert "nonsense" in soup.select_one("code.tex")["title"]
    assert soup.math.get_text() == "x"


def test_the_guard_around_formulas_cannot_be_forged(tmp_path: Path) -> None:
    html = new_output("display_data", data={"text/html": f"<p>{page.GUARD}9{page.GUARD}</p>"})
    soup = render(tmp_path, markdown(f"{page.GUARD}7{page.GUARD}"), code("x", html))
    assert [tag.get_text() for tag in soup.select(".cell p")] == ["7", "9"]


def test_links_between_labs_lead_to_pages(tmp_path: Path) -> None:
    links = {link.get_text(): link["href"] for link in render(tmp_path).select("main h3 a")}
    assert links == {"lab 01": "01_sparse.html", "a site": "https://example.org"}


def test_cells_carry_their_badge(tmp_path: Path) -> None:
    predict = code("guess = 40.0", role="predict")
    answer = markdown("Because.", role="answer", id="02.9", points=1)
    badges = [tag.get_text() for tag in render(tmp_path, *lab(), predict, answer).select(".badge")]
    assert badges == [
        "summary",
        "exercise 02.1",
        "check 02.1 · 10 points",
        "summary",
        "prediction",
        "written answer 02.9 · 1 point",
    ]


def test_the_summary_is_shown_first_and_in_its_place(tmp_path: Path) -> None:
    captions = [caption.get_text() for caption in render(tmp_path).select("caption")]
    assert captions == ["Predicted and measured", "Accuracy", "Predicted and measured"]


def test_code_is_highlighted(tmp_path: Path) -> None:
    assert render(tmp_path).select_one(".todo .highlight .k").get_text() == "def"


def test_the_index_tells_what_a_lab_holds(tmp_path: Path) -> None:
    save(tmp_path / "executed", "02_pruning", lab(), labkit={"seconds": 12.34})
    render_all(tmp_path / "executed", tmp_path / "out")
    card = entry(tmp_path, "02 Pruning ResNet-20")
    assert card.a["href"] == "02_pruning.html"
    assert card.p.get_text() == "remove exactly k weights,"
    facts = [fact.get_text() for fact in card.select(".facts li")]
    assert facts == ["executed", "1 figure", "2 tables", "ran in 12.3 s"]


def test_a_notebook_with_an_error_is_listed_as_failed_and_still_rendered(tmp_path: Path) -> None:
    error = new_output(
        "error", ename="ValueError", evalue="k is 3\nof 2", traceback=["\x1b[31mValueError\x1b[0m <k>"]
    )
    soup = render(tmp_path, markdown("# Bad"), code("f()", error))
    assert soup.select_one("pre.error").get_text() == "ValueError <k>"
    card = entry(tmp_path, "Bad")
    assert card.select_one(".status").get_text() == "failed"
    assert card.select_one(".reason").get_text() == "ValueError: k is 3"


def test_a_notebook_that_did_not_run_is_listed_as_such(tmp_path: Path) -> None:
    idle = new_code_cell("x = 1")
    render(tmp_path, markdown("# Idle"), code("y = 1"), idle)
    card = entry(tmp_path, "Idle")
    assert card.select_one(".status").get_text() == "not executed"
    assert card.select_one(".reason").get_text().startswith("1 of 2 code cells")


@pytest.mark.parametrize(
    "content", [b"", b"{not json", b"[]", b"{}", b"\xff\xfe\x00", b'{"nbformat": 4, "cells": 1}']
)
def test_a_broken_notebook_is_listed_and_does_not_stop_the_others(tmp_path: Path, content: bytes) -> None:
    save(tmp_path / "executed", "02_pruning", lab())
    (tmp_path / "executed" / "01_broken.ipynb").write_bytes(content)
    written = render_all(tmp_path / "executed", tmp_path / "out")
    assert [path.name for path in written] == ["02_pruning.html", "index.html"]
    card = entry(tmp_path, "01_broken")
    assert card.a is None
    assert card.select_one(".status").get_text() == "failed"
    assert card.select_one(".reason").get_text().startswith("01_broken.ipynb: not ")


def test_a_notebook_that_defeats_the_renderer_is_listed_and_does_not_stop_the_others(
    tmp_path: Path,
) -> None:
    save(tmp_path / "executed", "01_odd", [markdown("![x](attachment:gone.png)")])
    save(tmp_path / "executed", "02_pruning", lab())
    written = render_all(tmp_path / "executed", tmp_path / "out")
    assert [path.name for path in written] == ["02_pruning.html", "index.html"]
    assert "gone.png" in entry(tmp_path, "01_odd").select_one(".reason").get_text()


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_notebooks_is_refused_by_name(tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "executed"
    if exists:
        folder.mkdir()
    with pytest.raises(ValueError, match=r"executed .*no notebook.* `labkit run`"):
        render_all(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_second_render_is_byte_identical(tmp_path: Path) -> None:
    save(tmp_path / "executed", "02_pruning", lab())
    first = {path.name: path.read_bytes() for path in render_all(tmp_path / "executed", tmp_path / "a")}
    second = {path.name: path.read_bytes() for path in render_all(tmp_path / "executed", tmp_path / "b")}
    assert first == second


def test_results_hold_only_tables_of_other_courses_results(tmp_path: Path) -> None:
    compared = table(
        "One-shot | 80 %", ("method", "top-1 (%)", "course A (%)"), ("a|b<c", 87.5, None), ("d", 1, 87.86)
    )
    save(tmp_path / "labs", "02_pruning", [markdown(INTRO), code("x", table(), compared)])
    save(tmp_path / "labs", "01_sparse", [markdown("# 01 Sparse"), code("x", table("no comparison"))])
    write_results(tmp_path / "labs", tmp_path / "docs" / "results.md")
    text = (tmp_path / "docs" / "results.md").read_text(encoding="utf-8")
    assert text.startswith("# Results\n\nGenerated by `labkit record`")
    assert text.endswith(
        "## 02 Pruning ResNet-20\n\n**One-shot \\| 80 % (photodigits)**\n\n"
        "| method | top-1 (%) | course A (%) |\n| --- | ---: | ---: |\n"
        "| a\\|b&lt;c | 87.50 | – |\n| d | 1 | 87.86 |\n"
    )
    assert "Sparse" not in text
    assert "no comparison" not in text


def test_results_show_the_decimals_that_a_table_names(tmp_path: Path) -> None:
    output = table("T", ("report: loss",), (0.37,))
    output.data[TABLE_MIME]["digits"] = 4
    save(tmp_path / "labs", "02_pruning", [code("x", output)])
    write_results(tmp_path / "labs", tmp_path / "results.md")
    assert "| 0.3700 |" in (tmp_path / "results.md").read_text(encoding="utf-8")


def test_results_with_a_broken_lab_leave_the_old_page(tmp_path: Path) -> None:
    save(tmp_path / "labs", "02_pruning", lab())
    (tmp_path / "labs" / "03_broken.ipynb").write_text("{", encoding="utf-8")
    (tmp_path / "results.md").write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match=r"03_broken\.ipynb: not "):
        write_results(tmp_path / "labs", tmp_path / "results.md")
    assert (tmp_path / "results.md").read_text(encoding="utf-8") == "old"


def test_reports_know_figures_by_the_name_that_plots_give_them() -> None:
    assert page.FIGURE_MIME == figure.FIGURE_MIME


def test_the_renderer_starts_without_torch_and_matplotlib() -> None:
    program = "import sys, labkit.course.reports.site; print({'torch', 'matplotlib'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_reaches_contrast_level_aa(scheme: int) -> None:
    css = (TEMPLATES / "labkit" / "style.css").read_text(encoding="utf-8")
    block = re.findall(r":root \{(.*?)\}", css, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    code_colours = ("keyword", "name", "string", "number", "comment")
    plain = ("ink", "soft", "accent", "task", "good", "bad")
    pairs = [(text, ground) for text in (*plain, *code_colours) for ground in ("paper", "raised")]
    pairs += [("ink", "bad-wash"), ("ink", "accent-wash"), ("accent", "accent-wash"), ("task", "task-wash")]
    for text, ground in pairs:
        dark, light = sorted((luminance(colours[text]), luminance(colours[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)
