import os
import subprocess
import sys

import pytest
from small_labs import small_lab, write

from labkit import cli, data, recipes
from labkit.course.notebook import execution
from labkit.course.notebook.paths import find_labs
from labkit.course.reports import data_runs, results_page, site
from labkit.recipes.training import TrainedNetwork

pytestmark = pytest.mark.heavy


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A workbook of two labs that were never executed."""
    (tmp_path / "labs").mkdir()
    for name in ("01_first", "02_second"):
        write(tmp_path / "labs" / f"{name}.ipynb", small_lab())
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def recorded(home, monkeypatch):  # noqa: ARG001
    """The names of the labs that `labkit record` would have executed; each breaks one limit."""
    names = []
    monkeypatch.setattr(execution, "record", lambda path: names.append(path.name) or ["too long"])
    monkeypatch.setattr(
        results_page, "write_results", lambda labs, target, *_: names.append(f"{labs.name} {target.name}")
    )
    return names


@pytest.mark.parametrize("name", ["01", "01_first", "01_fi", "01_first.ipynb", "labs/01_first.ipynb"])
def test_a_lab_is_found_by_number_slug_or_path(home, recorded, monkeypatch, capsys, name):
    monkeypatch.chdir(home)
    assert cli.main(["record", name, "01"]) == 1
    assert recorded[0] == "01_first.ipynb"
    assert capsys.readouterr().out.startswith("01_first.ipynb: too long\n")


def test_recording_a_lab_renews_the_results_once(recorded):
    cli.main(["record", "--all"])
    assert recorded == ["01_first.ipynb", "02_second.ipynb", "labs results.md"]


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "07"], "there is no lab that begins with '07'; there are 01_first, 02_second."),
        (["run", "0"], "several labs begin with '0'; there are 01_first, 02_second."),
        (["lint", "labs/none.ipynb"], "there is no lab that begins with 'labs/none.ipynb'"),
        (["record"], "there are 01_first, 02_second."),
        (["run", "--jobs", "0"], "jobs must be at least 1, got 0."),
        (["report"], "run `labkit run` first."),
        (["train"], "`labkit train --list` shows them."),
        (["train", "resnet9000"], "resnet9000"),
    ],
)
def test_wrong_input_is_one_line_on_stderr_and_status_2(capsys, arguments, message):
    assert cli.main(arguments) == 2
    errors = capsys.readouterr().err
    assert errors.startswith("labkit: ")
    assert message in errors
    assert errors.count("\n") == 1


def test_a_workbook_without_labs_says_so(home, capsys):
    for lab in (home / "labs").iterdir():
        lab.unlink()
    assert cli.main(["run"]) == 2
    assert "there are no labs in" in capsys.readouterr().err


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("cell x failed"),
        OSError(28, "No space left on device"),
        FloatingPointError("loss is nan at epoch 0, step 3; lower peak_lr or add warm-up."),
    ],
)
def test_an_error_of_a_subcommand_has_no_traceback(monkeypatch, capsys, error):
    def fail(_):
        raise error

    monkeypatch.setattr(execution, "record", fail)
    assert cli.main(["record", "01"]) == 2
    assert capsys.readouterr().err == f"labkit: {error}\n"


@pytest.mark.usefixtures("home")
def test_ctrl_c_is_quiet_and_status_130(monkeypatch, capsys):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(execution, "record", interrupt)
    assert cli.main(["record", "01"]) == 130
    assert capsys.readouterr().err == ""


def test_labs_run_on_other_data_one_at_a_time_into_a_folder_of_results(home, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_DATASET", "photodigits")  # restored afterwards
    calls = []

    def run_all(paths, *, jobs, out):
        calls.append(([path.name for path in paths], jobs, out, os.environ["LABKIT_DATASET"]))
        return [execution.RunResult(path, 1.0, None) for path in paths]

    def write_run(*arguments):
        calls.append(arguments)
        return [arguments[0] / "tables.json"]

    monkeypatch.setattr(execution, "run_all", run_all)
    monkeypatch.setattr(data_runs, "write_run", write_run)
    monkeypatch.setattr(data, "prepare", lambda: data.Selection("Mine", "folder-mine-steps", "steps"))
    assert cli.main(["run", "01", "--dataset", "folder:mine"]) == 0
    folder = home / "results" / "folder-mine-steps"
    assert calls == [
        (["01_first.ipynb"], 1, folder / "executed", "folder:mine"),
        (folder, "Mine", "steps"),
    ]
    assert str(folder / "tables.json") in capsys.readouterr().out
    calls.clear()
    assert cli.main(["run", "01", "--dataset", "folder:mine", "--out", str(home / "here")]) == 0
    assert calls[1][0] == home / "here"


def test_data_that_cannot_be_had_end_a_run_before_a_lab_starts(home, monkeypatch, capsys):
    monkeypatch.setenv("LABKIT_DATASET", "photodigits")
    monkeypatch.setattr(execution, "run_all", lambda *_, **__: pytest.fail("a lab was executed"))
    assert cli.main(["run", "--dataset", f"folder:{home}/none"]) == 2
    assert "has no folder 'train'" in capsys.readouterr().err


def test_running_all_labs_puts_them_in_the_folder_the_report_reads(home, monkeypatch, capsys):
    calls = []

    def run_all(paths, *, jobs, out):
        calls.append(([path.name for path in paths], jobs, out))
        return [
            execution.RunResult(path, 1.0, "cell x: oops" if "01" in path.name else None) for path in paths
        ]

    monkeypatch.setattr(execution, "run_all", run_all)
    assert cli.main(["run", "--jobs", "3"]) == 1
    assert calls == [(["01_first.ipynb", "02_second.ipynb"], 3, home / "reports" / "executed")]
    assert capsys.readouterr().err == "labkit: 1 of 2 failed: 01_first.ipynb\n"

    assert cli.main(["run", "--out", "somewhere"]) == 2
    assert "--out is for --dataset" in capsys.readouterr().err

    (home / "reports" / "executed").mkdir(parents=True)
    monkeypatch.setattr(
        site, "render_all", lambda *folders: calls.append(folders) or [folders[1] / "index.html"]
    )
    assert cli.main(["report"]) == 0
    assert calls[1] == (home / "reports" / "executed", home / "reports")
    assert capsys.readouterr().out == f"1 pages, see {home / 'reports' / 'index.html'}\n"


def test_lint_lists_every_finding_of_every_lab(home, capsys):
    assert cli.main(["lint"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "01_first.ipynb: cell 99-setup: not executed; run `labkit record`"
    assert sum(line.startswith("02_second.ipynb: ") for line in lines) == 6
    (home / "labs" / "01_first.ipynb").write_text("{", encoding="utf-8")
    assert cli.main(["lint"]) == 1
    assert capsys.readouterr().out.startswith("01_first.ipynb: not JSON")


def test_checkpoints_are_listed_and_trained_by_name(monkeypatch, capsys):
    assert cli.main(["train", "--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [*recipes.RECIPES, *recipes.SEQUENCE_RECIPES]
    trained = []

    def train(names, counts, *, only_shipped):
        trained.append((names, counts, only_shipped))
        return [
            TrainedNetwork(names[0], "photodigits10", True, 90.0, "a GPU"),
            TrainedNetwork("old", "photodigits10", False, 30.5, "a CPU"),
        ]

    monkeypatch.setattr(recipes, "train", train)
    assert cli.main(["train", listed[0]]) == 0
    title, _, made, old = capsys.readouterr().out.splitlines()
    assert title == "1 of 2 networks made, 1.5 minutes of training"
    assert made.split() == [listed[0], "photodigits10", "made", "90.00", "a", "GPU"]
    assert old.split()[2:6] == ["up", "to", "date", "30.50"]
    assert cli.main(["train", "--all", "--classes", "100"]) == 0
    assert trained == [([listed[0]], (10, 52, 100), False), (listed, (100,), True)]


def test_a_subcommand_is_required():
    with pytest.raises(SystemExit, match="2"):
        cli.main([])


def test_the_command_line_starts_without_torch_or_matplotlib():
    program = "import sys, labkit.cli; print({'torch', 'matplotlib', 'nbclient'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_reader_that_stops_early_ends_the_program_quietly():
    command = f"{sys.executable} -m labkit.cli train --list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


def test_a_lab_is_found_by_its_number():
    assert [path.name[:3] for path in find_labs(["1", "02", "02_"])] == ["01_", "02_"]


def test_a_damaged_container_is_named(tmp_path, capsys):
    (tmp_path / "net.lkc").write_bytes(b"PK")
    assert cli.main(["inspect", str(tmp_path / "net.lkc")]) == 2
    assert "net.lkc: not a labkit container" in capsys.readouterr().err
