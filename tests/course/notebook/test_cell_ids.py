"""Cells get their ids back after other editors have removed or repeated them."""

import copy
import json

import nbformat
import pytest
from small_labs import cell_of, code, small_lab

from labkit.course.notebook import structure
from labkit.course.notebook.cell_ids import restore_ids
from labkit.course.release.strip import strip

BASE = strip(small_lab())
ANSWER = "def double(x):\n    return x + x"
IDS = [cell.id for cell in BASE.cells]


def _answered():
    notebook = copy.deepcopy(BASE)
    cell_of(notebook, "99-1-todo").source = ANSWER
    return json.loads(nbformat.writes(notebook))


def _without_ids(content, *, minor=4):
    content["nbformat_minor"] = minor
    for cell in content["cells"]:
        cell.pop("id", None)
    return content


def _as_colab(content):
    for cell in content["cells"]:
        cell["metadata"] = {"id": cell["id"]}
    return _without_ids(content, minor=0)


def _without_metadata(content):
    for cell in content["cells"]:
        cell["metadata"] = {}
    return _without_ids(content)


def _edited_between(content):
    """Nothing but its place tells what the answer was."""
    _without_metadata(content)
    next(cell for cell in content["cells"] if ANSWER in "".join(cell["source"]))["source"] = "x = 1"
    return content


def _restored(content, path):
    path.write_text(json.dumps(content), encoding="utf-8")
    return restore_ids(structure.read_notebook(path, repair=True), BASE)


@pytest.mark.parametrize("change", [_without_ids, _as_colab, _without_metadata, _edited_between])
def test_every_cell_gets_its_id_and_its_labels_back(tmp_path, change):
    content = change(_answered())
    restored = _restored(content, tmp_path / "a.ipynb")
    assert [cell.id for cell in restored.cells] == IDS
    assert [cell.metadata.labkit for cell in restored.cells] == [
        cell.metadata.labkit for cell in BASE.cells
    ]
    sources = ["".join(cell["source"]) for cell in content["cells"]]
    assert [cell.source for cell in restored.cells] == sources
    nbformat.validate(restored)


def test_cells_that_a_student_added_moved_or_deleted_do_not_confuse(tmp_path):
    content = _without_ids(_answered())
    own = json.loads(nbformat.writes(nbformat.v4.new_notebook(cells=[code("mine", "double(3)")])))["cells"][
        0
    ]
    own["metadata"] = {}
    del own["id"], content["cells"][IDS.index("99-between")]
    content["cells"] = [own, *reversed(content["cells"])]
    restored = _restored(content, tmp_path / "a.ipynb")
    expected = [name for name in reversed(IDS) if name != "99-between"]
    assert [cell.id for cell in restored.cells] == ["number-1", *expected]


def test_of_two_cells_with_one_id_the_first_keeps_it_and_no_id_occurs_twice(tmp_path):
    content = _answered()
    content["cells"].append({**content["cells"][0]})
    content["cells"][1]["id"] = f"number-{len(content['cells'])}"
    restored = _restored(content, tmp_path / "a.ipynb")
    names = [cell.id for cell in restored.cells]
    assert names[0] == IDS[0]
    assert len(set(names)) == len(names)
    nbformat.validate(restored)


def test_a_notebook_with_ids_stays_as_it_is(tmp_path):
    content = _answered()
    del content["cells"][IDS.index("99-table")]
    content["cells"].append(json.loads(json.dumps({**content["cells"][-1], "id": "own"})))
    restored = _restored(content, tmp_path / "a.ipynb")
    assert [cell.id for cell in restored.cells] == [cell["id"] for cell in content["cells"]]
