import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import nbformat
import pytest
from small_labs import cell_of, code, markdown, small_lab, write

from labkit.course.notebook import execution, structure
from labkit.course.notebook.execution import default_jobs, execute_cells, record, run_all

pytestmark = pytest.mark.heavy

FAILING = [
    code("98-first", "print('started')"),
    code("98-bad", "1 / 0"),
    code("98-never", "print('never')"),
]


def _failing_lab():
    lab = nbformat.v4.new_notebook(cells=[markdown("98-title", "# Lab 98"), *FAILING])
    for cell in lab.cells[1:]:
        cell.outputs = [nbformat.v4.new_output("stream", text="of an older run\n")]
    return lab


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Four notebooks run two at a time: one complete, one failing, one dying, one not a notebook."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "beside.txt").write_text("found", encoding="utf-8")
    good = small_lab()
    cell_of(
        good, "99-1-hidden"
    ).source = "print(open('beside.txt').read(), os.environ['OMP_NUM_THREADS'], sys.executable)"
    cell_of(good, "99-setup").source += "\nimport sys"
    dying = nbformat.v4.new_notebook(cells=[code("97-end", "import os\nos._exit(1)")])
    (folder / "96_text.ipynb").write_text("not a notebook", encoding="utf-8")
    out = folder / "out"
    out.mkdir()
    (out / "96_text.ipynb").write_text("of an older run", encoding="utf-8")
    paths = [
        write(folder / "98_bad.ipynb", _failing_lab()),
        folder / "96_text.ipynb",
        write(folder / "97_dying.ipynb", dying),
        write(folder / "99_good.ipynb", good),
    ]
    before = [path.read_bytes() for path in paths]
    results = run_all(paths, jobs=2, out=out)
    assert [path.read_bytes() for path in paths] == before, "run_all changed a source"
    return paths, results, out


def test_one_failing_notebook_does_not_stop_the_others(ran):
    paths, results, _ = ran
    assert [result.path for result in results] == paths
    assert results[0].error == "cell 98-bad: ZeroDivisionError: division by zero"
    assert "96_text.ipynb: not JSON" in results[1].error
    assert results[2].error.startswith("cell 97-end: the kernel died")
    assert results[3].error is None
    assert all(result.seconds >= 0 for result in results)


def test_what_ran_is_written_in_normal_form_with_its_seconds(ran):
    _, results, out = ran
    executed = structure.read_lab(out / "99_good.ipynb")
    assert [cell.execution_count for cell in structure.code_cells(executed)] == [1, 2, 3, 4, 5, 6]
    assert executed.metadata["labkit"]["seconds"] == pytest.approx(results[3].seconds, abs=0.1)
    assert sorted(path.name for path in out.iterdir()) == [
        "97_dying.ipynb",
        "98_bad.ipynb",
        "99_good.ipynb",
    ]


def test_a_notebook_runs_in_its_folder_with_its_share_of_the_cores_and_this_python(ran):
    _, _, out = ran
    (output,) = cell_of(structure.read_notebook(out / "99_good.ipynb"), "99-1-hidden").outputs
    share = max(1, len(os.sched_getaffinity(0)) // 2)
    assert output.text == f"found {share} {sys.executable}\n"


def test_a_failed_notebook_shows_where_it_failed_and_nothing_of_an_older_run(ran):
    _, _, out = ran
    cells = structure.read_notebook(out / "98_bad.ipynb").cells
    assert cells[1].outputs[0].text == "started\n"
    assert cells[2].outputs[0].ename == "ZeroDivisionError"
    assert (cells[3].outputs, cells[3].execution_count) == ([], None)


def test_recording_stores_the_outputs_and_a_second_recording_the_same_bytes(tmp_path):
    path = write(tmp_path / "99_small.ipynb", small_lab())
    assert record(path) == []
    first = path.read_bytes()
    assert "(3 cases)" in cell_of(structure.read_notebook(path), "99-1-check").outputs[0].text
    assert record(path) == []
    assert path.read_bytes() == first
    assert [entry.name for entry in tmp_path.iterdir()] == ["99_small.ipynb"]


def test_a_lab_whose_cell_fails_is_not_recorded(tmp_path):
    path = write(tmp_path / "98_bad.ipynb", _failing_lab())
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"98_bad\.ipynb is unchanged: cell 98-bad: ZeroDivisionError"):
        record(path)
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["98_bad.ipynb"]


def test_a_lab_that_is_not_well_formed_is_not_executed(tmp_path):
    lab = small_lab()
    lab.cells = [cell for cell in lab.cells if cell.id != "99-1-hidden"]
    with pytest.raises(ValueError, match=r"exercise 99\.1 has no hidden cell"):
        record(write(tmp_path / "99_small.ipynb", lab))


def test_ctrl_c_leaves_no_kernel_and_nothing_half_written(tmp_path):
    for number in (91, 92):
        cell = code(
            "loop", f"import os, time\nopen('{number}.pid', 'w').write(str(os.getpid()))\ntime.sleep(600)"
        )
        write(tmp_path / f"{number}_long.ipynb", nbformat.v4.new_notebook(cells=[cell]))
    # subtle: a process started in the background inherits that Ctrl-C is ignored.
    program = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from pathlib import Path\nfrom labkit.course.notebook.execution import run_all\n"
        "run_all(sorted(Path().glob('*.ipynb')), jobs=2, out=Path('out'))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    kernels = [_wait_for_pid(tmp_path / f"{number}.pid") for number in (91, 92)]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert not any(_is_running(kernel) for kernel in kernels)
    assert not (tmp_path / "out").exists()


def _wait_for_pid(path):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        if path.is_file() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError("the kernel did not start")


def _is_running(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    path = write(tmp_path / "99_a.ipynb", nbformat.v4.new_notebook(cells=[code("a", "1")]))
    with pytest.raises(OSError, match="file"):
        run_all([path], jobs=1, out=tmp_path / "file" / "out")


def test_a_wrong_number_of_jobs_and_files_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        run_all([], jobs=0, out=tmp_path)
    with pytest.raises(ValueError, match="the same file name"):
        run_all([tmp_path / "a" / "1.ipynb", tmp_path / "b" / "1.ipynb"], out=tmp_path)


@pytest.mark.parametrize(("memory", "expected"), [(10**9, 1), (3 * 10**9, 2), (10**12, 4)])
def test_jobs_follow_memory_cores_and_the_number_of_notebooks(monkeypatch, memory, expected):
    monkeypatch.setattr(execution.psutil, "virtual_memory", lambda: SimpleNamespace(available=memory))
    monkeypatch.setattr(execution, "usable_cores", lambda: 4)
    assert default_jobs(12) == expected
    assert default_jobs(1) == 1


def test_cells_are_executed_also_where_an_event_loop_is_running(tmp_path):
    # In a notebook the kernel's own loop runs.
    async def in_a_notebook():
        return execute_cells([code("a-cell", "1 / 0")], tmp_path, limit_s=60)

    failures = asyncio.run(in_a_notebook())
    assert failures["a-cell"].name == "ZeroDivisionError"


def test_a_notebook_without_ids_is_run_and_its_cells_are_named_by_their_place(tmp_path):
    """As Colab and older editors leave it, with a byte-order mark on top."""
    content = json.loads(nbformat.writes(_failing_lab()))
    content["nbformat_minor"] = 4
    for cell in content["cells"]:
        del cell["id"]
    (tmp_path / "98_bad.ipynb").write_text(json.dumps(content), encoding="utf-8-sig")
    (result,) = run_all([tmp_path / "98_bad.ipynb"], out=tmp_path / "out")
    assert result.error == "cell number-3: ZeroDivisionError: division by zero"
