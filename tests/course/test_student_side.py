"""Everything that a student runs must also run on Windows: these tests remove what Windows lacks.

Other packages support Windows themselves, so modules and functions are hidden from labkit's code only.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest
from small_labs import cell_of, small_lab, write

from labkit.course.release.strip import strip

pytestmark = pytest.mark.heavy

WITHOUT = '''
import builtins, os, signal, sys

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "termios", "tty"}
FUNCTIONS = {
    os: ["fork", "forkpty", "getuid", "geteuid", "getpgid", "killpg", "nice", "setsid", "sysconf", "uname",
         "sched_getaffinity", "getloadavg", "mkfifo", "chown", "O_NOFOLLOW", "O_NONBLOCK"],
    signal: ["SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGXCPU", "SIGXFSZ", "alarm",
             "setitimer", "pthread_kill"],
}
original = builtins.__import__


class WithoutPosix:
    """A module as labkit's code sees it on Windows."""

    def __init__(self, module, missing):
        self.__dict__.update(_module=module, _missing=missing)

    def __getattr__(self, name):
        if name in self._missing:
            raise AttributeError(f"module {self._module.__name__!r} has no attribute {name!r} on Windows")
        return getattr(self._module, name)


views = {module.__name__: WithoutPosix(module, set(names)) for module, names in FUNCTIONS.items()}


def importing(name, globals=None, locals=None, fromlist=(), level=0):
    if (globals or {}).get("__name__", "").partition(".")[0] != "labkit" or level:
        return original(name, globals, locals, fromlist, level)
    if name.partition(".")[0] in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
    return views.get(name) or original(name, globals, locals, fromlist, level)


builtins.__import__ = importing
'''

IMPORTS = """
import importlib
for name in (
    "checks", "cli", "coding", "data", "linear", "models", "plots.figure", "profiling", "pruning.magnitude",
    "quantization.affine", "recipes", "environment", "files", "settings", "sparse", "tables", "training",
):
    importlib.import_module("labkit.checks" if name == "checks" else f"labkit.{name}")
"""

SUBCOMMANDS = """
from labkit.cli import main

assert main(["lint", "99"]) in (0, 1)
assert main(["check", "99"]) in (0, 1)
assert main(["doctor"]) in (0, 1)
assert main(["run", "99"]) in (0, 1)
assert main(["report"]) == 0
assert main(["pack", "--force"]) == 0
"""


def run(program: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a program without what Windows lacks, with ``home`` as its workbook."""
    return subprocess.run(
        [sys.executable, "-c", WITHOUT + textwrap.dedent(program)],
        cwd=home,
        env={**os.environ, "LABKIT_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.fixture
def home(tmp_path):
    """A student's folder with one answered lab."""
    (tmp_path / "labs").mkdir()
    lab = strip(small_lab())
    cell_of(lab, "99-1-todo").source = "def double(x):\n    return 2 * x"
    write(tmp_path / "labs" / "99_small.ipynb", lab)
    return tmp_path


def test_everything_a_notebook_imports_can_be_imported(home):
    done = run(IMPORTS, home)
    assert done.returncode == 0, done.stderr


def test_a_student_can_check_run_render_and_submit(home):
    done = run(SUBCOMMANDS, home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "99.1" in done.stdout
    assert (home / "submission.zip").is_file()
    assert (home / "reports" / "index.html").is_file()
    executed = nbformat.read(home / "reports" / "executed" / "99_small.ipynb", as_version=4)
    assert cell_of(executed, "99-table").outputs


def test_the_grader_needs_more_and_is_noticed_here(home):
    """The tests above would fail if a student's subcommand imported the program in the sandbox."""
    done = run("import labkit.course.grading.sandbox.runner", home)
    assert done.returncode != 0
    assert "on Windows" in done.stderr
