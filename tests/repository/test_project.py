import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
CONDA_NAMES = {"pytorch": "torch"}  # conda's name, pip's name


def ranges(lines):
    """Version ranges by name; two packages' names are equal as the package index sees them."""
    found = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        assert name not in found, f"{name} is listed twice"
        found[name] = requirement.specifier
    return found


def conda_lines():
    """What environment.yml installs besides python, pip and the project itself, by pip's names."""
    pip_lines = [line for entry in CONDA if isinstance(entry, dict) for line in entry["pip"]]
    conda = [Requirement(entry) for entry in CONDA if isinstance(entry, str)]
    renamed = [
        f"{CONDA_NAMES.get(requirement.name, requirement.name)}{requirement.specifier}"
        for requirement in conda
        if requirement.name not in ("python", "pip")
    ]
    return renamed + [line for line in pip_lines if not line.startswith("-e")]


def pins():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def test_conda_and_pip_install_the_same_packages_in_the_same_ranges():
    assert ranges(conda_lines()) == ranges(PROJECT["dependencies"])


def test_conda_and_pip_ask_for_the_same_python_and_conda_adds_the_tools_for_tests():
    assert f"python{PROJECT['requires-python']}" in CONDA
    assert [entry["pip"][-1] for entry in CONDA if isinstance(entry, dict)] == ["-e .[dev]"]


def test_every_constraint_is_one_exact_version():
    for line in pins():
        specifiers = list(Requirement(line).specifier)
        assert [specifier.operator for specifier in specifiers] == ["=="], line
        assert "*" not in specifiers[0].version, line
    assert len(ranges(pins())) == len(pins())


@pytest.mark.parametrize("group", ["dependencies", "dev", "bench"])
def test_every_direct_dependency_is_pinned_within_its_range(group):
    lines = PROJECT["dependencies"] if group == "dependencies" else PROJECT["optional-dependencies"][group]
    pinned = ranges(pins())
    for name, allowed in ranges(lines).items():
        assert name in pinned, f"{name} is not in constraints.txt"
        (version,) = pinned[name]
        assert allowed.contains(version.version), f"{name}=={version.version} is outside {allowed}"


def test_every_range_has_a_lower_bound():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for line in [line for group in groups for line in group]:
        assert any(specifier.operator == ">=" for specifier in Requirement(line).specifier), line


def test_the_workflow_runs_make_test_on_every_python_from_the_oldest_supported_one():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    assert f">={job['strategy']['matrix']['python'][0]}" == PROJECT["requires-python"]
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert job["strategy"]["matrix"]["os"] == ["ubuntu-latest", "macos-latest"]
    commands = [step["run"] for step in job["steps"] if "run" in step and "if" not in step]
    assert commands == ["make test PYTHON=python"]


def test_a_failing_part_of_make_test_does_not_stop_the_others_and_fails_the_whole(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("ruff", "mypy", "lint-imports", "labkit"):
        (programs / name).write_text("#!/bin/sh\n")
    (programs / "python").write_text('#!/bin/sh\ncase "$*" in *--nbval*) exit 1;; esac\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    (tmp_path / ".venv" / ".ready").touch()
    outside_make = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    made = subprocess.run(
        ["make", "test"], cwd=tmp_path, env=outside_make, capture_output=True, text=True, check=False
    )
    assert [line.split()[:2] for line in made.stdout.splitlines()[-3:]] == [
        ["lint", "passed"],
        ["nbval", "FAILED"],
        ["unit", "passed"],
    ]
    assert made.returncode != 0


def test_a_student_does_not_get_nbgrader():
    """Its Validate button in JupyterLab reports success on wrong answers."""
    students = (ROOT / "labkit/course/release/student_files/Makefile").read_text(encoding="utf-8")
    assert "-c constraints.txt -e .\n" in students  # no optional group
    assert "nbgrader" not in ranges(PROJECT["dependencies"])
