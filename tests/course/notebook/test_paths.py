import pytest

from labkit.course.notebook.paths import find_labs, lab_names, lab_paths


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A workbook of two labs, with other files and a folder beside them."""
    (tmp_path / "labs" / "03_folder.ipynb").mkdir(parents=True)
    for name in ("02_second.ipynb", "01_first.ipynb", "notes.ipynb", "04_text.md"):
        (tmp_path / "labs" / name).write_text("{}", encoding="utf-8")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


def test_labs_are_the_numbered_notebooks_in_order(home):
    assert [path.name for path in lab_paths(home)] == ["01_first.ipynb", "02_second.ipynb"]
    assert lab_paths(home / "labs") == []
    assert lab_names() == "01_first, 02_second"


def test_a_name_is_a_path_a_file_name_or_the_start_of_one_and_repetitions_count_once(home):
    first, second = lab_paths(home)
    assert find_labs([]) == [first, second]
    assert find_labs(["02", "01_first", "02_second.ipynb", "01"]) == [second, first]
    draft = home / "draft.ipynb"
    draft.write_text("{}", encoding="utf-8")
    assert find_labs([str(draft)]) == [draft]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("name", ["09", "0", "", "notes.ipynb", "03_folder.ipynb"])
def test_a_name_that_fits_none_or_several_is_refused_and_the_labs_are_listed(name):
    with pytest.raises(ValueError, match="01_first, 02_second"):
        find_labs([name])


def test_a_workbook_without_labs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="no labs"):
        find_labs([])
    assert lab_names() == "none yet"
