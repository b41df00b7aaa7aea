"""Honest answers lose nothing by style: settings, imports and variables at the margin of another answer."""

from __future__ import annotations

import nbformat
import pytest
from small_labs import code

from labkit.course.grading.execution import ExerciseRunner, SandboxConfig
from labkit.course.grading.sandbox.box import choose_backend

pytestmark = pytest.mark.heavy

SOLUTIONS = {
    "98.1": "def scale(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
    "98.2": "def shift(x):\n    ### BEGIN SOLUTION\n    return scale(x) + 1\n    ### END SOLUTION",
    "98.3": "def slope(x):\n    ### BEGIN SOLUTION\n    x = x.clone().requires_grad_()\n"
    "    (scale(x) * x).sum().backward()\n    return x.grad\n    ### END SOLUTION",
    "98.4": "def mean(x):\n    ### BEGIN SOLUTION\n    w = torch.sum(x)\n    return w / len(x)\n    ### END SOLUTION",
}
INPUT = "torch.tensor([0.12345, 2.0])"
HIDDEN = {
    "98.1": (f"print(scale({INPUT}), np.array([0.12345, 1]) / [1, 0])\nscale({INPUT})", "tensor([0.2469, 4.0000]) [0.12345     inf]\n"),
    "98.2": (f"(shift({INPUT}), shift({INPUT}).dtype)", "(tensor([1.2469, 5.0000]), torch.float32)"),
    "98.3": (f"slope({INPUT})", "tensor([0.4938, 8.0000])"),
    "98.4": (f"mean({INPUT})", "tensor(1.0617)"),
}  # fmt: skip


def cell_id(exercise, role):
    return f"{exercise.replace('.', '-')}-{role}"


def lab():
    """A lab whose second and third exercise use the first."""
    cells = [code("98-setup", "import numpy as np\nimport torch", role="setup")]
    for name, solution in SOLUTIONS.items():
        source, text = HIDDEN[name]
        hidden = code(cell_id(name, "hidden"), source, role="hidden", id=name, points=1)
        if name == "98.1":
            hidden.outputs = [nbformat.v4.new_output("stream", text=text)]
            text = "tensor([0.2469, 4.0000])"
        hidden.outputs += [nbformat.v4.new_output("execute_result", data={"text/plain": text})]
        function = solution[4 : solution.index("(")]
        cells += [
            code(cell_id(name, "todo"), solution, role="todo", id=name),
            code(
                f"{name.replace('.', '-')}-check",
                f"{function}(torch.ones(2))",
                role="check",
                id=name,
                points=1,
            ),
            hidden,
        ]
    return nbformat.v4.new_notebook(cells=cells)


@pytest.fixture(scope="module")
def runner():
    with ExerciseRunner(lab(), SandboxConfig(choose_backend("auto"))) as made:
        yield made


def outcomes(runner, **changes):
    """The status and the reason of every exercise, of the solutions with some changes."""
    answers = {cell_id(name, "todo"): source for name, source in SOLUTIONS.items()}
    answers |= {f"98-{name[1:]}-todo": source for name, source in changes.items()}
    return runner.outcomes(answers)


RIGHT = dict.fromkeys(SOLUTIONS, ("right", ""))


@pytest.mark.parametrize(
    "margin",
    [
        "torch.set_printoptions(precision=1, sci_mode=True); np.set_printoptions(precision=1)",
        "torch.set_default_dtype(torch.float64)",
        "torch.set_grad_enabled(False)",
        "import warnings; warnings.simplefilter('error'); np.seterr(all='raise')",
        "torch.set_grad_enabled(False)\nraise KeyError('after the definition')",
    ],
)
def test_what_stands_beside_an_answer_costs_nothing(runner, margin):
    first = SOLUTIONS["98.1"]
    assert outcomes(runner, e1=f"{first}\n{margin}") == RIGHT


def test_print_options_cost_nothing_wherever_they_are_set(runner):
    inside = "    torch.set_printoptions(precision=1)\n    np.set_printoptions(precision=1)\n"
    head, body = SOLUTIONS["98.1"].split("\n", 1)
    assert outcomes(runner, e1=f"{head}\n{inside}{body}") == RIGHT
    assert outcomes(runner, e1=f"torch.set_printoptions(precision=1)\n{SOLUTIONS['98.1']}") == RIGHT


@pytest.mark.parametrize("margin", ["import torch", "w = x = 0"])
def test_an_exercise_depends_on_no_other_by_a_local_variable_or_an_import(runner, margin):
    result = outcomes(runner, e1=f"{margin}\nscale = torch.sum = None")
    assert result["98.4"] == ("right", "")
    assert {result[name].status for name in ("98.1", "98.2", "98.3")} == {"error"}


def test_an_import_beside_another_answer_is_there_as_in_a_notebook(runner):
    margin = "import math\nfrom functools import reduce as fold\nimport os.path\nos._exit(1)"
    uses = "def mean(x):\n    assert os.path\n    return fold(torch.add, x) / math.floor(len(x))"
    assert outcomes(runner, e1=margin, e4=uses)["98.4"] == ("right", "")


def test_the_reason_names_the_exercise_that_one_depends_on(runner):
    result = outcomes(runner, e1="def scale(x, factor):\n    return factor * x")
    assert result["98.2"].reason.startswith("it uses 98.1, which is not right: ")
    assert "uses" not in result["98.1"].reason
    alone = outcomes(runner, e1="def scale(x):\n    return x", e2="def shift(x):\n    return x")
    assert "uses" not in alone["98.2"].reason


def test_input_is_refused_in_words(runner):
    result = outcomes(runner, e4="factor = input()\ndef mean(x):\n    return factor")
    assert "input() cannot be used" in result["98.4"].reason
