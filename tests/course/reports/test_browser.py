"""The pages in a real browser: nothing loads, nothing is cut, everyone can read them.

Needs a Chromium on the path; the recorded labs are rendered, none is executed.
"""

from __future__ import annotations

import io
import shutil
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import hostile
import pytest

from labkit.course.grading.feedback_page import answers_page
from labkit.course.grading.results import GradedLab, Mark
from labkit.course.notebook.lab_id import LabId
from labkit.course.reports.site import render_all

api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install -e '.[dev]'")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
pypdf = pytest.importorskip("pypdf")

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
LABS = Path(__file__).parents[3] / "labs"
PAGES = ["index", *(path.stem for path in sorted(LABS.glob("*.ipynb")))]
# The slowest tests visit three pages, one of each kind: the overview, a lab of tables, a lab of figures.
SOME_PAGES = [
    pytest.param(page, marks=() if page.startswith(("index", "01", "07")) else pytest.mark.slow)
    for page in PAGES
]
VIEWS = [(360, "light"), (360, "dark"), (1400, "light"), (1400, "dark")]
PATIENCE_MS = 120_000  # for a busy machine; a page takes about a second on an idle one
PRINTABLE_PX = 658  # A4 less two margins of 18 mm, at 96 pixels an inch

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(
        CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome on the path"
    ),
]

SMALL_TEXT = """() => [...document.querySelectorAll('body *')].filter(e =>
  !e.closest('math, sup, sub') && e.checkVisibility() && parseFloat(getComputedStyle(e).fontSize) < 14 &&
  [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())).map(e => e.outerHTML.slice(0, 90))"""
# What sticks out on the right and is not inside something that scrolls.
OUTSIDE = """() => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() &&
  !e.parentElement.closest('.scroll, pre, math, .display-math, .long-math') &&
  e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(e => e.outerHTML.slice(0, 90))"""
UNREACHABLE = """() => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() &&
  e.scrollWidth > e.clientWidth + 1 && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX) &&
  !(e.tabIndex >= 0 && e.getAttribute('aria-label'))).map(e => e.outerHTML.slice(0, 90))"""
CUT_IN_PRINT = """() => [...document.querySelectorAll('main *')].filter(e => e.checkVisibility() && (
  (getComputedStyle(e).overflowX !== 'visible' && e.scrollWidth > e.clientWidth + 1) ||
  (!e.closest('math') && e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
)).map(e => e.outerHTML.slice(0, 90))"""
ROWS = """() => [...document.querySelectorAll('main .outputs > .scroll tbody tr')].map(
  row => [...row.cells].map(cell => cell.innerText))"""


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reports")
    render_all(LABS, out)
    return out


@pytest.fixture(scope="module")
def browser() -> Iterator[api.Browser]:
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, timeout=PATIENCE_MS)
        yield started
        started.close()


class Visit:
    """A tab that notes what a page complains about and what it asks for."""

    def __init__(self, browser: api.Browser) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.tab = browser.new_page()
        self.tab.set_default_timeout(PATIENCE_MS)
        self.tab.on("console", lambda message: self.complaints.append(message.text))
        self.tab.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.tab.route("**/*", self._allow_files)

    def _allow_files(self, route: api.Route) -> None:
        self.requests.append(route.request.url)
        if route.request.url.startswith("file:"):
            route.continue_()
        else:
            route.abort()

    def open(self, path: Path, width: int = 1400, scheme: str = "light", media: str = "screen") -> api.Page:
        self.tab.set_viewport_size({"width": width, "height": 900})
        self.tab.emulate_media(color_scheme=scheme, media=media)
        self.tab.goto(path.as_uri())
        return self.tab


@pytest.fixture
def visit(browser: api.Browser) -> Iterator[Visit]:
    started = Visit(browser)
    yield started
    started.tab.close()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_loads_without_a_complaint_and_asks_for_nothing_else(
    visit: Visit, reports: Path, name: str
) -> None:
    path = reports / f"{name}.html"
    tab = visit.open(path)
    assert tab.evaluate("[...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert visit.complaints == []
    assert visit.requests == [path.as_uri()]


def test_what_a_page_asks_for_would_be_seen(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<img src='http://example.org/a.png'><script>console.error('oh')</script>")
    visit.open(path)
    assert "http://example.org/a.png" in visit.requests
    assert "oh" in visit.complaints


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_has_alt_text_and_a_table_of_its_data(visit: Visit, reports: Path, name: str) -> None:
    tab = visit.open(reports / f"{name}.html")
    alts = tab.eval_on_selector_all("img", "images => images.map(image => image.alt.trim())")
    assert alts
    assert all(len(alt) > 20 for alt in alts), alts
    bare = "figures => figures.filter(f => !f.querySelector('details tbody tr')).length"
    assert tab.eval_on_selector_all("main figure", bare) == 0


@pytest.mark.parametrize("name", SOME_PAGES)
def test_axe_finds_no_serious_violation(visit: Visit, reports: Path, name: str) -> None:
    tab = visit.open(reports / f"{name}.html")
    for width, scheme in ((360, "dark"), (1400, "light")):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        tab.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        violations = axe.Axe().run(tab).response["violations"]
        grave = [
            (violation["id"], node["html"][:120])
            for violation in violations
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
        assert grave == [], (width, scheme)


def test_axe_would_find_a_picture_without_alt_text_and_pale_text(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text("<img src='data:,'><p style='color: #ccc'>pale</p>")
    violations = {violation["id"] for violation in axe.Axe().run(visit.open(path)).response["violations"]}
    assert {"image-alt", "color-contrast", "html-has-lang"} <= violations


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_on_a_phone_and_on_a_desk_in_both_schemes(
    visit: Visit, reports: Path, name: str
) -> None:
    for width, scheme in VIEWS:
        tab = visit.open(reports / f"{name}.html", width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate(OUTSIDE) == [], (width, scheme)
        assert tab.evaluate(SMALL_TEXT) == [], (width, scheme)
        assert tab.evaluate(UNREACHABLE) == [], (width, scheme)
        ground = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        lightness = sum(map(int, ground.strip("rgb()").split(",")))
        assert (lightness > 3 * 200) == (scheme == "light"), ground


def test_a_feedback_page_has_room_for_a_hundred_columns_of_code_and_scrolls_more(
    visit: Visit, tmp_path: Path
) -> None:
    answers = {
        "99-1-todo": f"#{'x' * 99}",
        "99-3-todo": f"#{'x' * 299}",
        "99-why": "| a | b |\n|---|---|\n" + f"| {'x' * 300} | `code` |\n\n$$\\sum_i x_i$$",
    }
    marks = (Mark("99.1", 0, 10, "error", "expected 2.0, got 1"), Mark("99.4", 0, 5, "to mark"))
    result = GradedLab("ada", LabId("99_small"), "", marks, ("a warning",), sources=answers)
    path = tmp_path / "page.html"
    path.write_text(answers_page(hostile.small_class_lab(), result), encoding="utf-8")
    for width, scheme in VIEWS:
        tab = visit.open(path, width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width
        assert tab.evaluate(OUTSIDE) == [], (width, scheme)
        assert tab.evaluate(UNREACHABLE) == [], (width, scheme)
    clipped = "cells => cells.map(cell => cell.scrollWidth > cell.clientWidth + 1)"
    assert tab.eval_on_selector_all(".todo pre", clipped) == [False, False, True]
    grave = [
        (violation["id"], [node["html"][:120] for node in violation["nodes"]])
        for violation in axe.Axe().run(tab).response["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
    assert grave == []
    assert visit.complaints == []


@pytest.mark.parametrize("name", PAGES[1:])
def test_the_summary_comes_first_and_the_contents_lead_somewhere(
    visit: Visit, reports: Path, name: str
) -> None:
    tab = visit.open(reports / f"{name}.html")
    assert tab.evaluate("document.querySelector('main > .cell').classList.contains('card')")
    links = tab.locator(".toc.wide li a")
    assert links.count() >= 3
    links.last.click()
    target = tab.evaluate("document.querySelector(':target').getBoundingClientRect().top")
    assert 0 <= target < 900


def test_the_keyboard_reaches_the_content_first_and_scrolls_a_table(visit: Visit, reports: Path) -> None:
    tab = visit.open(reports / f"{PAGES[1]}.html", 360)
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "content"
    wide = (
        "[...document.querySelectorAll('.outputs > .scroll')].find(e => e.scrollWidth > e.clientWidth + 20)"
    )
    tab.evaluate(f"window.wide = {wide}; window.wide.focus()")
    tab.keyboard.press("ArrowRight")
    tab.wait_for_function("window.wide.scrollLeft > 0")


@pytest.mark.parametrize("name", SOME_PAGES)
def test_print_shows_all_of_every_table(visit: Visit, reports: Path, name: str) -> None:
    tab = visit.open(reports / f"{name}.html", PRINTABLE_PX, "dark", "print")
    assert tab.evaluate(CUT_IN_PRINT) == []
    tables = tab.evaluate(ROWS)
    tab.emulate_media(media=None)
    document = pypdf.PdfReader(io.BytesIO(tab.pdf(format="A4", prefer_css_page_size=True)))
    pages = [_letters(page.extract_text()) for page in document.pages]
    assert all(pages), "an empty page"
    for row in tables:
        cells = [_letters(cell) for cell in row]
        assert any(all(cell in page for cell in cells) for page in pages), row
    assert "Allabs" not in pages[0]
    for page in document.pages:
        assert page.mediabox.width == pytest.approx(595, abs=1.5)
        assert page.mediabox.height == pytest.approx(842, abs=1.5)


def _letters(text: str) -> str:
    """A text without blanks, its ligatures taken apart."""
    return "".join(unicodedata.normalize("NFKC", text).split())
