"""Prove a lab with the grader that will grade it: solutions earn every point, stubs earn none.

:mod:`labkit.course.release.leaks` checks by reading that the released notebook shows no answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from nbformat import NotebookNode

from labkit.course.grading.execution import ExerciseRunner, SandboxConfig
from labkit.course.grading.sandbox.box import choose_backend
from labkit.course.grading.scoring import mark_lab
from labkit.course.notebook.structure import cell_role
from labkit.course.release.strip import strip

__all__ = ["failures"]


def failures(sources: Mapping[str, NotebookNode]) -> list[str]:
    """List why labs cannot be released, one sentence each; empty if all is well.

    For each lab the grader gives the solutions full marks and the untouched release none, and every
    stub, run by its visible check alone, raises ``NotImplementedError``.

    Args:
        sources: labs with solutions, as recorded, by name.
    """
    sandbox = SandboxConfig(choose_backend("auto"))
    return [
        f"{name}: {failure}" for name, source in sources.items() for failure in _failures(source, sandbox)
    ]


def _failures(source: NotebookNode, sandbox: SandboxConfig) -> list[str]:
    """What is wrong with one lab."""
    todos = {cell.id: cell.source for cell in source.cells if cell_role(cell) == "todo"}
    released = {cell.id: cell.source for cell in strip(source).cells}
    stubs = {cell_id: released[cell_id] for cell_id in todos}
    problems = []
    try:
        with ExerciseRunner(source, sandbox) as runner:
            for name, outcome in runner.outcomes(todos).items():
                if outcome.status != "right":
                    problems.append(f"the solution of {name} earns nothing: {outcome.reason}")
            for mark in mark_lab(source, runner.outcomes(stubs), released):
                if mark.earned:
                    problems.append(
                        f"the untouched release earns {mark.earned:g} points in {mark.question}"
                    )
            for name, exercise in runner.exercises.items():
                problem = runner.run("check", exercise, {exercise.todo.id: stubs[exercise.todo.id]})
                if problem is None or problem.status != "not started":
                    reason = "its check passes" if problem is None else problem.reason
                    problems.append(f"the stub of {name} does not raise NotImplementedError: {reason}")
    except RuntimeError as error:
        problems.append(str(error))
    return problems
