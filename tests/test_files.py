"""Files are replaced at once, and what killed processes left is removed, but nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from labkit.files import partial_path, write_atomically


@pytest.fixture
def ended():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("name", ["a.csv", "a [1].csv", "ä+(2)"])
def test_what_ended_processes_left_of_a_file_or_folder_is_removed_by_the_next_write(tmp_path, ended, name):
    (tmp_path / f".{name}.{ended}.part").write_text("half")
    write_atomically(tmp_path / name, b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / f".{name}.{ended}.part" / "labs").mkdir(parents=True)
    partial_path(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_may_be_in_use_or_is_not_ours_stays(tmp_path, ended):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "work").write_text("kept")
    names = [
        f".a.{os.getppid()}.part",
        f".b.{ended}.part",
        f"a.{ended}.part",
        f".a.{ended}.parts",
        ".a.x.part",
    ]
    for name in names:
        (tmp_path / name).write_text("kept")
    (tmp_path / f".a.{ended}.part").symlink_to(outside)
    write_atomically(tmp_path / "a", b"whole")
    assert {path.name for path in tmp_path.iterdir()} == {"outside", "a", *names}
    assert (outside / "work").read_text() == "kept"
