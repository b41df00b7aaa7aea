"""Turn a notebook's cells and outputs into HTML that neither runs code nor loads anything.

The template calls :class:`Page` while nbconvert walks the cells. Leaves out: files and the index
(:mod:`labkit.course.reports.site`), and how a page looks (``templates/labkit``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from html import escape, unescape
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import nh3
from markupsafe import Markup
from math_core import LatexError, LatexToMathML
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbformat import NotebookNode
from pygments.token import STANDARD_TYPES

from labkit.course.notebook.structure import cell_info, cell_role
from labkit.tables import TABLE_MIME, cell_text

__all__ = ["FIGURE_MIME", "Page", "alt_text", "plain_text"]

FIGURE_MIME = "application/vnd.labkit.figure+json"  # as in labkit.plots.figure, which loads matplotlib
BADGES = {
    "todo": "exercise {id}",
    "check": "check {id}",
    "hidden": "hidden check {id}",
    "claim": "claims",
    "predict": "prediction",
    "answer": "written answer {id}",
    "reading": "reading",
    "summary": "summary",
}
LABEL_TAGS = frozenset({"code", "em", "strong", "sub", "sup"})
HEADING_TAGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
TAGS = LABEL_TAGS | HEADING_TAGS | {
    "a", "abbr", "b", "blockquote", "br", "caption", "col", "colgroup", "dd", "del", "details", "div", "dl", "dt",
    "hr", "i", "img", "kbd", "li", "mark", "ol", "p", "pre", "s", "small", "span", "summary", "table", "tbody", "td",
    "tfoot", "th", "thead", "tr", "u", "ul", "var",
}  # fmt: skip
CODE_CLASSES = frozenset({"highlight", *STANDARD_TYPES.values()})  # of highlighted code
ATTRIBUTES = frozenset({"alt", "class", "colspan", "href", "rowspan", "scope", "start", "style", "title"})
SCROLL = '<div class="scroll" role="region" tabindex="0" aria-label="Table">'
TABLE = re.compile(r"<table\b[^>]*>")
PRE = re.compile(r"<pre>.*?</pre>", re.DOTALL)
NARROW = 32  # characters of code that fit beside the margins of a screen of 360 px
ATTACHMENT = "attachment:"  # how a cell refers to a picture stored in it
ANCHOR = "s-"  # begins the id of every heading, and of nothing else
GUARD = "\ue000"  # a private-use character around a formula's number
MAX_FORMULA = 4000  # characters; the converter overruns its stack at about 20,000 nested braces
LONG_FORMULA = 30  # characters of TeX; longer ones within a line scroll on a narrow screen


class Heading(NamedTuple):
    """An entry of the table of contents; ``label`` is HTML."""

    level: int
    anchor: str
    label: str


class FigureData(NamedTuple):
    """A figure's number, its alt text and the plotted data as the rows of a table."""

    number: int
    alt: str
    columns: list[str]
    rows: list[tuple[str, ...]]


def alt_text(output: Mapping[str, Any]) -> str:
    """Return the description of a figure, from the first place in the output that has one."""
    metadata, data = output.get("metadata", {}), output["data"]
    candidates = [
        *(entry.get("alt") for entry in metadata.values() if isinstance(entry, Mapping)),
        data.get(FIGURE_MIME, {}).get("alt"),
        data.get("text/plain"),
    ]
    return next((str(text) for text in candidates if text), "A figure without a description")


def plain_text(markdown: str) -> str:
    """Return a line of Markdown without its mark-up.

    >>> plain_text("Prune a **trained** network, see [1](https://example.org).")
    'Prune a trained network, see 1.'
    """
    renderer = IPythonRenderer(escape=False, exclude_anchor_links=True)
    return Markup(MarkdownWithMath(renderer=renderer).render(markdown)).striptags()


class Page:
    """What the template asks for while a notebook is rendered. No two headings share an anchor."""

    role = staticmethod(cell_role)

    def __init__(self, folder: Path | None) -> None:
        """Begin a page of a lab in ``folder``, or, if it is None, of what a student submitted.

        Then no file is embedded, and only highlighted code has classes, so nothing in the cells
        looks like what the template shows.
        """
        self.folder = folder
        self.headings: list[Heading] = []
        self.repeats = Counter[str]()  # of a heading's anchor
        self.figures = 0
        self.formulas: list[str] = []
        self.titled = False

    def badge(self, cell: NotebookNode) -> str:
        """Return the kind of a cell, such as ``exercise 02.3``; an empty string for text and runs."""
        info = cell_info(cell)
        label = BADGES.get(cell_role(cell), "").format(id=info.exercise).strip()
        points = f"{info.points} point{'s' * (info.points != 1)}"
        return f"{label} · {points}" if label and info.points else label

    def markdown(self, cell: Mapping[str, Any]) -> str:
        """Return a Markdown cell as clean HTML, with formulas as MathML; wide tables and code scroll."""
        renderer = _Renderer(self, attachments=cell.get("attachments", {}))
        html = self._clean(MarkdownWithMath(renderer=renderer).render(_storable(cell["source"])))
        html = TABLE.sub(rf"{SCROLL}\g<0>", html).replace("</table>", "</table></div>")
        return PRE.sub(lambda match: self.focusable(match[0], "Code"), html)

    def latex(self, output: Mapping[str, Any]) -> str:
        """Return a formula that a cell displayed as MathML."""
        return self._with_formulas(
            self.formula(_storable(output["data"]["text/latex"]).strip("$ \n"), block=True)
        )

    def html(self, output: Mapping[str, Any]) -> str:
        """Return the HTML that a cell displayed, such as a table, cleaned."""
        return self._clean(_storable(output["data"]["text/html"]))

    def label(self, output: Mapping[str, Any]) -> str:
        """Return the name of a scrollable table, for screen readers."""
        return str(output["data"].get(TABLE_MIME, {}).get("title", "Table"))

    def focusable(self, html: str, label: str) -> str:
        """Return a block of code or output, reachable by keyboard if it may need scrolling."""
        lines = unescape(re.sub("<[^>]*>", "", html)).splitlines()
        if max(map(len, lines), default=0) <= NARROW:
            return html
        return html.replace("<pre", f'<pre tabindex="0" role="group" aria-label="{escape(label)}"', 1)

    def figure(self, output: Mapping[str, Any]) -> FigureData:
        """Count a figure and return what the page shows of it; short series are padded with blanks."""
        self.figures += 1
        payload = output["data"].get(FIGURE_MIME, {})
        data = payload.get("data", {})
        names = payload.get("columns", list(data))  # subtle: a saved notebook has its keys sorted
        columns = ([cell_text(value) for value in data[name]] for name in names)
        return FigureData(self.figures, alt_text(output), names, list(zip_longest(*columns, fillvalue="")))

    def heading(self, text: str, level: int) -> str:
        """Return a heading with an anchor; empty for the first of level 1, which the template shows as title."""
        if level == 1 and not self.titled:
            self.titled = True
            return ""
        level = max(level, 2)
        label = nh3.clean(text, tags=LABEL_TAGS, attributes={})
        anchor = self._free_anchor(label)
        self.headings.append(Heading(level, anchor, self._with_formulas(label)))
        return f'<h{level} id="{anchor}">{text}</h{level}>\n'

    def formula(self, tex: str, *, block: bool) -> str:
        """Store a formula and return a placeholder that Markdown and the cleaning leave unchanged."""
        try:
            if len(tex) > MAX_FORMULA:
                raise LatexError(f"a formula may have {MAX_FORMULA} characters")
            mathml = LatexToMathML(fancy_error=False).convert_with_local_state(tex, displaystyle=block)
        except LatexError as error:
            mathml = f'<code class="tex" title="{escape(str(error))}">{escape(tex)}</code>'
        if block or len(tex) > LONG_FORMULA:
            kind = "display-math" if block else "long-math"
            mathml = f'<span class="{kind}" tabindex="0" role="group" aria-label="formula">{mathml}</span>'
        self.formulas.append(mathml)
        return f"{GUARD}{len(self.formulas) - 1}{GUARD}"

    def _free_anchor(self, label: str) -> str:
        """Return the label as an identifier, numbered if an earlier heading has the same."""
        words = Markup(re.sub(f"{GUARD}.*?{GUARD}", "", label)).striptags().lower()
        slug = ANCHOR + re.sub(r"[\W_]+", "-", words).strip("-")
        name = slug
        while self.repeats[name]:
            self.repeats[slug] += 1
            name = f"{slug}-{self.repeats[slug]}"
        self.repeats[name] += 1
        return name

    def _with_formulas(self, html: str) -> str:
        """Return HTML with each placeholder replaced by its formula."""
        return re.sub(f"{GUARD}(\\d+){GUARD}", lambda match: self.formulas[int(match[1])], html)

    def _clean(self, html: str) -> str:
        """Return HTML with only those tags and attributes that neither run code nor load anything."""
        cleaned = nh3.clean(
            html,
            tags=TAGS,
            clean_content_tags={"script", "style"},
            attributes={"*": ATTRIBUTES, "img": {"src"}, **{heading: {"id"} for heading in HEADING_TAGS}},
            attribute_filter=_unstyled_value if self.folder is None else _harmless_value,
            filter_style_properties={"text-align"},
            url_schemes={"http", "https", "mailto", "data"},
            link_rel=None,
        )
        return self._with_formulas(cleaned)


class _Renderer(IPythonRenderer):
    """A Markdown renderer that passes headings and formulas to the page."""

    def __init__(self, page: Page, **options: Any) -> None:
        super().__init__(
            escape=False,
            embed_images=page.folder is not None,
            path=str(page.folder or ""),
            exclude_anchor_links=True,
            **options,
        )
        self.page = page

    def heading(self, text: str, level: int, **_: Any) -> str:
        return self.page.heading(text, level)

    def block_math(self, body: str) -> str:
        return self.page.formula(body, block=True)

    def inline_math(self, body: str) -> str:
        return self.page.formula(body, block=False)

    def latex_environment(self, name: str, body: str) -> str:
        return self.page.formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", block=True)

    def link(self, text: str, url: str, title: str | None = None) -> str:
        """Return a link; one to another lab's notebook leads to that lab's page instead."""
        return str(super().link(text, re.sub(r"^([\w.-]+)\.ipynb\b", r"\1.html", url), title))

    def image(self, text: str, url: str, title: str | None = None) -> str:
        """Return an embedded picture, or a link if the picture is stored elsewhere."""
        if url.startswith(ATTACHMENT):
            name = unquote(url.removeprefix(ATTACHMENT))
            if not self.attachments.get(name):
                return f"<em>[the picture {escape(name)} is missing]</em>"
            url = ATTACHMENT + name
        html = super().image(text, url, title)
        return html if 'src="data:' in html else self.link(text, url, title)


def _storable(text: str) -> str:
    """Return text that UTF-8 can store and that has no placeholder of a formula."""
    return text.replace(GUARD, "").encode("utf-8", "backslashreplace").decode()


def _unstyled_value(tag: str, name: str, value: str) -> str | None:
    """Return the value of an attribute that a student wrote; classes only of highlighted code."""
    if name == "class":
        return " ".join(word for word in value.split() if word in CODE_CLASSES) or None
    return _harmless_value(tag, name, value)


def _harmless_value(tag: str, name: str, value: str) -> str | None:  # noqa: ARG001
    """Return the value of an allowed attribute, or None to drop it: only pictures may be embedded data."""
    if name == "id":
        return value if value.startswith(ANCHOR) else None
    if name not in ("src", "href"):
        return value
    # subtle: browsers ignore blanks and control characters in front of and inside a scheme.
    url = re.sub(r"[\x00-\x20]", "", value).lower()
    allowed = url.startswith("data:image/") if name == "src" else not url.startswith("data:")
    return value if allowed else None
