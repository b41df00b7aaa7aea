import json
import os
import time
import zipfile

import hostile
import pytest

from labkit.course.notebook.lab_id import LabId
from labkit.course.submission.lab_match import assign_labs, lab_number
from labkit.course.submission.read import read_submission

LABS = [LabId("98_other"), LabId("99_small")]
NOTEBOOK = json.dumps(hostile.solved(hostile.small_class_lab())).encode()


def _folder(path, files):
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return assign_labs(read_submission(path), LABS)


@pytest.mark.parametrize(
    "name",
    [
        "99_small_ann.ipynb",
        "99_Small.ipynb",
        "99_small.ipynb.txt",
        "99_small.IPYNB",
        "annlee_LATE_123_456_99_small.ipynb",
        "99_small-v2.ipynb",
        "final/my work.ipynb",
    ],
)
def test_a_renamed_notebook_is_recognised_by_its_cells_and_a_warning_says_so(tmp_path, name):
    submission = _folder(tmp_path / "ann", {name: NOTEBOOK})
    assert submission.notebooks == {"99_small.ipynb": NOTEBOOK}
    assert submission.warnings == [f"{name}: read as 99_small.ipynb, because of its cells"]


def test_a_single_notebook_named_after_the_student_is_recognised(tmp_path):
    (tmp_path / "bob.ipynb").write_bytes(NOTEBOOK)
    assert assign_labs(read_submission(tmp_path / "bob.ipynb"), LABS).notebooks == {
        "99_small.ipynb": NOTEBOOK
    }


def test_the_labs_own_name_comes_before_what_cells_say(tmp_path):
    submission = _folder(tmp_path / "ann", {"99_small.ipynb": b"mine", "notes.ipynb": NOTEBOOK})
    assert submission.notebooks == {"99_small.ipynb": b"mine"}
    assert submission.warnings == ["notes.ipynb: a second file for 99_small; not read"]


def test_a_notebook_of_no_lab_is_named_and_one_of_another_lab_left_out(tmp_path):
    other = NOTEBOOK.replace(b"99.", b"97.").replace(b"99-", b"97-")
    submission = _folder(tmp_path / "ann", {"a.ipynb": b"{}", "b.ipynb": other, "97_x.ipynb": other})
    assert submission.notebooks == {}
    assert submission.warnings == ["a.ipynb: not recognised as a lab; not read"]


def test_a_notebook_without_ids_and_metadata_is_recognised_by_the_checks_it_calls():
    """As Colab leaves it."""
    cells = [{"cell_type": "code", "source": f"check('02.{k}', f)", "metadata": {}} for k in (1, 2)]
    assert lab_number(json.dumps({"cells": cells}).encode()) == "02"
    assert lab_number(json.dumps({"cells": cells[:1]}).encode()) is None
    assert lab_number(b"not a notebook") is None


def test_cells_of_two_labs_in_equal_number_decide_nothing():
    cells = [{"cell_type": "code", "source": f"check('0{k}.1', f)", "metadata": {}} for k in (1, 1, 2, 2)]
    assert lab_number(json.dumps({"cells": cells}).encode()) is None


def test_of_several_attempts_the_latest_is_read(tmp_path):
    folder = tmp_path / "ann"
    folder.mkdir()
    for age, name in ((50, "99_small.ipynb"), (10, "99_small (1).ipynb"), (90, "99_small (2).ipynb")):
        (folder / name).write_bytes(name.encode())
        os.utime(folder / name, (0, 1_700_000_000 - age))
    submission = assign_labs(read_submission(folder), LABS)
    assert submission.notebooks == {"99_small.ipynb": b"99_small (1).ipynb"}
    assert len(submission.warnings) == 3
    with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
        for hour, name in ((3, "99_small.ipynb"), (5, "99_small-Copy1.ipynb")):
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, hour, 0, 0)), name)
    assert read_submission(tmp_path / "ann.zip").notebooks == {"99_small.ipynb": b"99_small-Copy1.ipynb"}


def test_a_very_long_name_takes_no_time(tmp_path):
    with zipfile.ZipFile(tmp_path / "ann.zip", "w") as archive:
        archive.writestr("00_" + "_" * 60_000 + ".ipynb", NOTEBOOK)
    start = time.process_time()
    assert read_submission(tmp_path / "ann.zip").notebooks == {}
    assert time.process_time() - start < 2
