"""Reading a submission in a process of its own."""

import os
import time

import pytest

from labkit.course.notebook.lab_id import LabId
from labkit.course.submission import limited
from labkit.course.submission.limited import read_within_limits

LABS = (LabId("01_sparse"),)
NOTEBOOK = b'{"cells": [%s]}' % (b"[]," * 100_000 + b"{}")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "01_sparse.ipynb").write_bytes(NOTEBOOK)
    return tmp_path / "ann"


def test_what_was_read_comes_back_with_its_warnings(folder):
    os.mkfifo(folder / "02_pipe.ipynb")
    submission = read_within_limits(folder, LABS)
    assert submission.notebooks == {"01_sparse.ipynb": NOTEBOOK}
    assert submission.warnings == ["02_pipe.ipynb: not a regular file; not read"]


def test_why_nothing_was_read_comes_back(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read_within_limits(tmp_path / "nobody", LABS)


def test_too_much_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(limited, "MAX_BYTES", 100_000_000)
    (folder / "01_sparse.ipynb").write_bytes(b'{"cells": [%s{}]}' % (b"[]," * 2_000_000))
    with pytest.raises(ValueError, match=r"more than 0\.1 GB of memory; submit only"):
        read_within_limits(folder, LABS)


def test_too_much_processor_time_is_refused(folder, monkeypatch):
    monkeypatch.setattr(limited, "MAX_SECONDS", 1)
    for name in ("01_sparse.ipynb", "work.ipynb"):
        (folder / name).write_bytes(b'{"cells": [%s{}]}' % (b"[]," * 6_000_000))
    start = time.monotonic()
    with pytest.raises(ValueError, match=r"more than [12] s; submit only"):
        read_within_limits(folder, LABS)
    assert time.monotonic() - start < 10


def test_a_process_that_dies_is_a_reason_and_not_an_end(folder, monkeypatch):
    monkeypatch.setattr(limited, "MAX_BYTES", 1)
    with pytest.raises(ValueError, match=r"reading it (failed|takes more)"):
        read_within_limits(folder, LABS)
