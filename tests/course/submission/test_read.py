import io
import os
import socket
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest

from labkit.course.submission import archive, files, read
from labkit.course.submission.read import read_submission

LAB = "01_sparse.ipynb"


def _zip(path: Path, entries) -> Path:
    """A zip of ``(name or ZipInfo, content)``."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return path


def _info(name, mode=stat.S_IFREG | 0o644):
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    return info


def _renamed(path: Path, old: bytes, new: bytes) -> Path:
    """The zip with every ``old`` in it, directory included, replaced by as many bytes ``new``."""
    assert len(old) == len(new)
    path.write_bytes(path.read_bytes().replace(old, new))
    return path


@pytest.fixture
def folder(tmp_path):
    """A student's folder as it is after some work."""
    root = tmp_path / "alice"
    for name, content in {
        f"labs/{LAB}": b"one",
        "labs/02_pruning.ipynb": b"two",
        "labs/.ipynb_checkpoints/01_sparse-checkpoint.ipynb": b"autosave",
        ".labkit/release/labs/01_sparse.ipynb": b"pristine",
        "labkit/settings.py": b"code",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def test_a_folder_gives_its_notebooks_by_name(folder):
    submission = read_submission(folder)
    assert submission.name == "alice"
    assert submission.notebooks == {LAB: b"one", "02_pruning.ipynb": b"two"}
    assert submission.warnings == []


def test_a_zip_gives_the_same_as_the_folder(folder, tmp_path):
    files = [
        (str(path.relative_to(folder)), path.read_bytes()) for path in folder.rglob("*") if path.is_file()
    ]
    submission = read_submission(_zip(tmp_path / "alice.zip", files))
    assert submission == read_submission(folder)


def test_one_notebook_is_a_submission(folder):
    assert read_submission(folder / "labs" / LAB).notebooks == {LAB: b"one"}


@pytest.mark.parametrize(
    ("path", "message"),
    [("nothing", "does not exist"), ("text.zip", "not a zip that can be read"), ("empty.zip", "not a zip")],
)
def test_what_is_no_submission_is_refused(tmp_path, path, message):
    (tmp_path / "text.zip").write_text("hello")
    (tmp_path / "empty.zip").write_bytes(b"")
    with pytest.raises(ValueError, match=message):
        read_submission(tmp_path / path)


def test_a_truncated_zip_is_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", [(LAB, os.urandom(1000))])
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"a\.zip: not a zip"):
        read_submission(path)


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        (f"../{LAB}", "'..'"),
        (f"a/../../{LAB}", "'..'"),
        (f"..\\{LAB}", "'..'"),
        (f"/etc/{LAB}", "absolute"),
        (f"\\etc\\{LAB}", "absolute"),
        (f"C:/{LAB}", "absolute"),
    ],
)
def test_a_path_that_leads_outside_is_refused_and_the_others_are_read(tmp_path, name, problem):
    submission = read_submission(
        _zip(tmp_path / "a.zip", [(name, b"evil"), ("labs/02_pruning.ipynb", b"two")])
    )
    assert submission.notebooks == {"02_pruning.ipynb": b"two"}
    assert len(submission.warnings) == 1
    assert problem in submission.warnings[0]
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


@pytest.mark.parametrize(
    ("kind", "problem"), [(stat.S_IFLNK, "a link"), (stat.S_IFIFO, "not a regular file")]
)
def test_a_link_or_pipe_in_a_zip_is_refused(tmp_path, kind, problem):
    submission = read_submission(_zip(tmp_path / "a.zip", [(_info(LAB, kind | 0o777), b"/etc/passwd")]))
    assert submission.notebooks == {}
    assert submission.warnings == [f"{LAB}: {problem}; not read"]


def test_links_and_pipes_in_a_folder_are_refused(folder, tmp_path):
    (tmp_path / "02_outside.ipynb").write_text("outside")
    (folder / "labs" / "03_link.ipynb").symlink_to(tmp_path / "02_outside.ipynb")
    os.mkfifo(folder / "labs" / "04_pipe.ipynb")
    (folder / "more").symlink_to(tmp_path)
    submission = read_submission(folder)
    assert sorted(submission.notebooks) == [LAB, "02_pruning.ipynb"]
    assert sorted(submission.warnings) == [
        "labs/03_link.ipynb: a link; not read",
        "labs/04_pipe.ipynb: not a regular file; not read",
        "more: a link; not read",
    ]


def test_a_submission_that_is_a_link_is_refused(folder, tmp_path):
    (tmp_path / "bob").symlink_to(folder)
    with pytest.raises(ValueError, match="a link"):
        read_submission(tmp_path / "bob")


def test_a_bomb_is_refused_and_the_others_are_read(tmp_path):
    path = _zip(tmp_path / "a.zip", [(LAB, bytes(15_000_000)), ("02_pruning.ipynb", b"two")])
    assert path.stat().st_size < 30_000
    submission = read_submission(path)
    assert submission.notebooks == {"02_pruning.ipynb": b"two"}
    assert submission.warnings == [f"{LAB}: compressed more than 200 times; not read"]


def test_a_bomb_that_is_no_notebook_is_never_opened(tmp_path, monkeypatch):
    path = _zip(tmp_path / "a.zip", [("big.bin", bytes(15_000_000)), (LAB, b"one")])
    opened = []
    monkeypatch.setattr(read, "_content", lambda file: opened.append(file.name) or b"one")
    assert read_submission(path).notebooks == {LAB: b"one"}
    assert opened == [LAB]


def test_a_bomb_that_lies_about_its_size_is_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(LAB, bytes(5_000_000))
    raw = content.getvalue().replace((5_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    (tmp_path / "a.zip").write_bytes(raw)
    submission = read_submission(tmp_path / "a.zip")
    assert submission.notebooks == {}
    assert "Bad CRC" in submission.warnings[0]


def test_limits_on_size_and_number_hold(folder, tmp_path, monkeypatch):
    path = _zip(tmp_path / "a.zip", [(f"{n:02}_lab.ipynb", bytes([n])) for n in range(20)])
    assert len(read_submission(path).notebooks) == 20
    monkeypatch.setattr(read, "MAX_TOTAL_BYTES", 10)
    with pytest.raises(ValueError, match="of notebooks"):
        read_submission(path)
    monkeypatch.setattr(archive, "MAX_FILES", 10)
    with pytest.raises(ValueError, match="more than 10 files"):
        read_submission(path)
    monkeypatch.setattr(files, "MAX_FILES", 4)
    with pytest.raises(ValueError, match="more than 4 files"):
        read_submission(folder)
    monkeypatch.setattr(archive, "MAX_ARCHIVE_BYTES", 100)
    with pytest.raises(ValueError, match="pack only the notebooks"):
        read_submission(path)


def test_a_notebook_over_the_limit_is_refused(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(read, "MAX_NOTEBOOK_BYTES", 2)
    expected = [f"labs/{LAB}: over 0 MB; not read", "labs/02_pruning.ipynb: over 0 MB; not read"]
    assert sorted(read_submission(folder).warnings) == sorted(expected)
    assert read_submission(_zip(tmp_path / "a.zip", [(LAB, b"one")])).notebooks == {}


def test_an_encrypted_entry_and_an_unusual_compression_are_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", [(LAB, b"one")])
    raw = bytearray(path.read_bytes())
    place = raw.index(b"PK\x01\x02") + 8
    raw[place] |= 1
    path.write_bytes(raw)
    assert read_submission(path).warnings == [f"{LAB}: encrypted; not read"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(LAB, b"one")
    assert "compressed by method 14" in read_submission(path).warnings[0]


def test_names_that_are_not_utf_8(tmp_path):
    # As a zip tool of old writes them: bytes of another code page, without the UTF-8 flag.
    path = _renamed(_zip(tmp_path / "a.zip", [("xx/01_lab.ipynb", b"one")]), b"xx/", b"\xfc\xe4/")
    assert read_submission(path).notebooks == {"01_lab.ipynb": b"one"}, "a folder's name does no harm"
    path = _renamed(_zip(tmp_path / "b.zip", [("01_lxx.ipynb", b"one")]), b"lxx", b"l\xfc\xe4")
    assert read_submission(path).warnings[0].endswith("a name that is not UTF-8; not read")
    # Flagged as UTF-8, but it is not.
    path = _renamed(_zip(tmp_path / "c.zip", [("01_lé.ipynb", b"one")]), "é".encode(), b"\xff\xfe")
    with pytest.raises(ValueError, match="a file name is not UTF-8; pack it with `labkit pack`"):
        read_submission(path)


def test_a_name_that_is_not_utf_8_in_a_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / os.fsdecode(b"01_\xff.ipynb")).write_text("one")
    submission = read_submission(tmp_path / "a")
    assert submission.warnings == ["01_\\xff.ipynb: a name that is not UTF-8; not read"]


@pytest.mark.parametrize("name", ["01_sparse (1).ipynb", "01_sparse(2).ipynb", "01_sparse-Copy1.ipynb"])
def test_a_second_copy_counts_where_it_is_the_only_one(tmp_path, name):
    submission = read_submission(_zip(tmp_path / "a.zip", [(name, b"copy")]))
    assert submission.notebooks == {LAB: b"copy"}
    assert submission.warnings == [f"{name}: read as {LAB}"]
    submission = read_submission(_zip(tmp_path / "b.zip", [(name, b"copy"), (f"labs/{LAB}", b"one")]))
    assert submission.notebooks == {LAB: b"one"}
    assert submission.warnings == [f"{name}: a second file for 01_sparse; not read"]


def test_of_two_files_for_a_lab_the_nearest_to_the_top_counts(tmp_path):
    entries = [(f"old/backup/{LAB}", b"old"), (f"alice/labs/{LAB}", b"new"), ("Untitled.ipynb", b"")]
    submission = read_submission(_zip(tmp_path / "a.zip", entries))
    assert submission.notebooks == {LAB: b"new"}
    assert submission.unnamed == [("Untitled.ipynb", b"")]
    assert len(submission.warnings) == 1


def test_names_are_shown_without_control_characters(tmp_path):
    submission = read_submission(_zip(tmp_path / "a.zip", [("a\x1b[31m\n.ipynb", b"")]))
    assert submission.unnamed == [("a\\x1b[31m\\n.ipynb", b"")]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_files_with_one_name_the_last_counts_as_when_unpacked_and_both_are_named(tmp_path):
    submission = read_submission(_zip(tmp_path / "a.zip", [(LAB, b"one"), (LAB, b"two")]))
    assert submission.notebooks == {LAB: b"two"}
    assert submission.warnings == [f"{LAB}: a second file for 01_sparse; not read"]


def _zip_bytes(entries) -> bytes:
    content = io.BytesIO()
    _zip(content, entries)
    return content.getvalue()


def test_a_zip_in_a_students_folder_or_in_a_zip_is_opened(tmp_path):
    """An LMS's export has a folder for each student, with what the student submitted in it."""
    packed = _zip_bytes([(f"labs/{LAB}", b"one"), (".labkit/release/labs/02_pruning.ipynb", b"pristine")])
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "submission.zip").write_bytes(packed)
    assert read_submission(tmp_path / "ann").notebooks == {LAB: b"one"}
    twice = read_submission(_zip(tmp_path / "bob.zip", [("work/Submission.ZIP", packed)]))
    assert (twice.notebooks, twice.warnings) == ({LAB: b"one"}, [])


def test_of_several_zips_in_a_folder_the_latest_counts(tmp_path):
    """Files that `labkit pack` packs carry no time, so the time of the zip counts."""
    for name, content, changed in (("a.zip", b"old", 1_700_000_000), ("b.zip", b"new", 1_800_000_000)):
        info = _info(f"labs/{LAB}")
        (tmp_path / name).write_bytes(_zip_bytes([(info, content)]))
        os.utime(tmp_path / name, (changed, changed))
    submission = read_submission(tmp_path)
    assert submission.notebooks == {LAB: b"new"}
    assert submission.warnings == [f"a.zip/labs/{LAB}: a second file for 01_sparse; not read"]


def test_an_archive_that_is_not_opened_is_named_and_the_others_are_read(tmp_path, monkeypatch):
    nested = _zip_bytes([(f"labs/{LAB}", b"one")])
    for name in ("c.zip", "b.zip", "a.zip"):
        nested = _zip_bytes([(name, nested)])
    files = {
        "02_pruning.ipynb": b"two",
        "damaged.zip": b"PK",
        "deep.zip": nested,
        "work.tar.gz": b"",
        "x.rar": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    submission = read_submission(tmp_path)
    assert submission.notebooks == {"02_pruning.ipynb": b"two"}
    assert [warning.partition(":")[0] for warning in sorted(submission.warnings)] == [
        "damaged.zip",
        "deep.zip/a.zip/b.zip",
        "work.tar.gz",
        "x.rar",
    ]
    monkeypatch.setattr(read, "MAX_ARCHIVE_BYTES", len(nested))
    (tmp_path / "damaged.zip").write_bytes(nested)
    assert "of archives" in " ".join(read_submission(tmp_path).warnings), "all archives share one limit"


def _with_zip64_offset(path: Path, offset: int) -> Path:
    """The zip of one file, whose directory says by a zip64 field that the file begins at ``offset``."""
    raw = path.read_bytes()
    start, end = raw.index(b"PK\x01\x02"), raw.index(b"PK\x05\x06")
    entry, tail = bytearray(raw[start:end]), bytearray(raw[end:])
    extra = struct.pack("<HHQ", 1, 8, offset)
    name_length = struct.unpack_from("<H", entry, 28)[0]
    struct.pack_into("<H", entry, 30, len(extra))
    struct.pack_into("<I", entry, 42, 0xFFFFFFFF)
    entry[46 + name_length :] = extra
    struct.pack_into("<I", tail, 12, len(entry))
    path.write_bytes(raw[:start] + entry + tail)
    return path


@pytest.mark.parametrize("offset", [2**63, 2**63 - 1, 2**64 - 1, 10**6])
def test_a_false_offset_costs_one_file_only(tmp_path, offset):
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "02_pruning.ipynb").write_bytes(b"two")
    _with_zip64_offset(_zip(tmp_path / "ann" / "a.zip", [(LAB, b"one")]), offset)
    submission = read_submission(tmp_path / "ann")
    assert submission.notebooks == {"02_pruning.ipynb": b"two"}
    assert len(submission.warnings) == 1
    assert submission.warnings[0].startswith("a.zip")


@pytest.mark.parametrize("name", ["00_" + "_" * 60_000 + ".ipynb", "00_" + "Copy" * 15_000 + ".ipynb"])
def test_a_long_name_takes_no_time_and_is_reported(tmp_path, name):
    path = _zip(tmp_path / "a.zip", [(name, b""), (LAB, b"one")])
    start = time.process_time()
    submission = read_submission(path)
    assert time.process_time() - start < 1
    assert submission.notebooks == {LAB: b"one"}
    assert f"a name of {len(name)} characters" in submission.warnings[0]


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_read(folder, tmp_path, monkeypatch):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / LAB).write_bytes(b"another student's")
    listed = read.folder_files

    def swap(path):
        files = list(listed(path))
        (folder / "labs").rename(folder / "old")
        (folder / "labs").symlink_to(tmp_path / "outside")
        return files

    monkeypatch.setattr(read, "folder_files", swap)
    submission = read_submission(folder)
    assert submission.notebooks == {}
    assert len(submission.warnings) == 2


def test_folders_that_cannot_be_listed_or_are_nested_deeply_are_named(folder, monkeypatch):
    deep = folder.joinpath(*["d"] * 30)
    place = folder
    for part in deep.relative_to(folder).parts:
        place /= part
        place.mkdir()
    (folder / "closed").mkdir()
    scandir = os.scandir

    def refuse(path):
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    submission = read_submission(folder)
    assert sorted(submission.notebooks) == [LAB, "02_pruning.ipynb"]
    assert len(submission.warnings) == 2
    assert any("closed" in warning and "Permission denied" in warning for warning in submission.warnings)
    assert any("20 deep" in warning for warning in submission.warnings)


def test_a_device_and_a_socket_are_never_opened(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "03_x.ipynb"))
        assert read_submission(tmp_path).warnings == ["03_x.ipynb: not a regular file; not read"]
    with pytest.raises(ValueError, match="a device"):
        read_submission(Path("/dev/zero"))
