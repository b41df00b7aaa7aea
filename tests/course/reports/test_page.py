"""Cleaning: what of a notebook's own HTML reaches its page."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_output

from labkit.course.reports.page import Page


def cleaned(html: str) -> BeautifulSoup:
    output = new_output("display_data", data={"text/html": html})
    return BeautifulSoup(Page(Path()).html(output), "html.parser")


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<style>p { background: url(http://a.b) }</style>",
        "<style>@import 'http://a.b'",
        "<iframe src='http://a.b'></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<math><mtext><style><img src=x onerror=alert(1)></style></mtext></math>",
        "<!-- a comment -->",
    ],
)
def test_scripts_styles_frames_and_comments_vanish_with_their_content(html: str) -> None:
    soup = cleaned(f"<p>kept</p>{html}")
    assert [tag.name for tag in soup.find_all(True)] == ["p"]
    assert soup.get_text() == "kept"


@pytest.mark.parametrize(
    ("html", "attributes"),
    [
        ("<p id='content'>x</p>", {}),
        ("<h3 id='s-a'>x</h3>", {"id": "s-a"}),
        ("<p onclick='alert(1)' tabindex='1' class='a'>x</p>", {"class": ["a"]}),
        ("<p style='text-align: right; position: fixed'>x</p>", {"style": "text-align:right"}),
        ("<p style='background: url(http://a.b/c.png)'>x</p>", {"style": ""}),
        ("<img src='http://a.b/c.png' alt='a'>", {"alt": "a"}),
        ("<img src='data:text/html,x'>", {}),
        ("<img src='data:image/png;base64,AAAA'>", {"src": "data:image/png;base64,AAAA"}),
        ("<a href='javascript:alert(1)'>x</a>", {}),
        ("<a href='data:text/html,x'>x</a>", {}),
        ("<a href='&#10; DA\tTA:text/html,x'>x</a>", {}),
        ("<a href='https://a.b' target='_blank'>x</a>", {"href": "https://a.b"}),
        ("<a href='01_lab.html#s-a'>x</a>", {"href": "01_lab.html#s-a"}),
    ],
)
def test_only_attributes_that_neither_run_nor_load_stay(html: str, attributes: dict[str, object]) -> None:
    assert cleaned(html).find(True).attrs == attributes


def test_tags_that_are_not_allowed_leave_their_text() -> None:
    assert cleaned("<form><button>x</button></form>").decode() == "x"
