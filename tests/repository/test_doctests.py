import doctest
import importlib
from pathlib import Path

import pytest

import labkit

pytestmark = pytest.mark.heavy

PACKAGE = Path(labkit.__file__).parent
MODULES = [
    ".".join(["labkit", *path.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_docstring_does_what_it_says(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.failed == 0
    assert result.attempted > 0


def test_no_example_is_skipped():
    skipped = [path.name for path in PACKAGE.rglob("*.py") if "doctest: +SKIP" in path.read_text("utf-8")]
    assert skipped == []
