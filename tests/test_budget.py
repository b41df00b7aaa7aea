"""A module holds one idea: at most 250 lines."""

import pytest

from labkit import repro

MAX_LINES = 250
MODULES = sorted((repro.home() / "labkit").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(repro.home())))
def test_a_module_is_short_enough_to_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES
