"""Every check notices an answer that ignores one of its arguments, and explains whatever an answer returns.

The wrong answers are generated: the solution, with one argument held at its value in the first call. This
is what a notebook's global, a constant or a default in place of the argument amounts to.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from numbers import Number

import numpy as np
import pytest
import torch
from exercises import EXERCISES

from labkit.checks import CheckFailed, check

pytestmark = pytest.mark.heavy

# Arguments that a right answer need not read, or only in part.
WITHOUT_EFFECT = {("05.1", "bits"): "it cancels in the formula"}
ONLY_THE_FORM_COUNTS = {("03.2", "arrays"): "bytes depend on shapes, not on values"}

# *args and **options, such as those that a layer passes on.
ANY_NUMBER = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)

UNUSABLE = {
    "None": None,
    "int": 3,
    "float": -1.5,
    "bool": True,
    "text": "text",
    "list": [1, 2],
    "empty list": [],
    "ragged list": [[1], [1, 2]],
    "dict": {},
    "dict of text": {"a": "b"},
    "pair": (None, None),
    "triple": (None, None, None),
    "array": np.zeros(3),
    "matrix": torch.zeros(2, 2),
    "object": object(),
}


def _parameters(answer):
    """The named parameters that an answer takes; of an autograd function those of ``forward`` without ``ctx``."""
    owner = getattr(answer, "__self__", None)
    if isinstance(owner, type):
        return list(inspect.signature(owner.forward).parameters.values())[1:]
    return [each for each in inspect.signature(answer).parameters.values() if each.kind not in ANY_NUMBER]


def _form(value):
    """What must agree for one value to stand in for another: shapes, keys and lengths, or just any object."""
    if hasattr(value, "shape"):
        return tuple(value.shape)
    if isinstance(value, Mapping):
        return {key: _form(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_form(entry) for entry in value]
    return "number" if isinstance(value, Number) else "object"


def _ignoring(answer, position, *, where_it_fits):
    """``answer`` with one argument replaced by its value in the first call, always or where the form agrees."""
    first = []

    def ignorant(*inputs):
        if position < len(inputs):
            first[:] = first or [inputs[position]]
            if not where_it_fits or _form(first[0]) == _form(inputs[position]):
                inputs = (*inputs[:position], first[0], *inputs[position + 1 :])
        return answer(*inputs)

    return ignorant


def _variants(name, change):
    """Yield the answers of an exercise with one function changed, for each: its parameters' names and all."""
    exercise = EXERCISES[name]
    answers = exercise.answers(exercise.namespace(exercise.todo))
    for place, answer in enumerate(answers):
        for label, changed in change(answer):
            yield label, [*answers[:place], changed, *answers[place + 1 :]]


def _is_refused(name, answers):
    """Whether the check refuses with a message; any other error is an error of the check."""
    try:
        check(name, *answers)
    except CheckFailed:
        return True
    return False


@pytest.mark.parametrize("where_it_fits", [False, True], ids=["always", "where it fits"])
@pytest.mark.parametrize("name", EXERCISES)
def test_an_answer_that_ignores_an_argument_is_refused(name, where_it_fits):
    excused = WITHOUT_EFFECT | (ONLY_THE_FORM_COUNTS if where_it_fits else {})

    def change(answer):
        for position, parameter in enumerate(_parameters(answer)):
            yield parameter.name, _ignoring(answer, position, where_it_fits=where_it_fits)

    accepted = {label for label, answers in _variants(name, change) if not _is_refused(name, answers)}
    assert accepted == {argument for exercise, argument in excused if exercise == name}


@pytest.mark.parametrize("name", EXERCISES)
def test_a_default_is_left_out_in_some_call_and_given_in_another(name):
    def change(answer):
        calls = set()

        def counting(*inputs, **options):
            calls.add(len(inputs))
            return answer(*inputs, **options)

        yield (answer, calls), counting

    for (answer, calls), answers in _variants(name, change):
        check(name, *answers)
        parameters = _parameters(answer)
        if not parameters:  # it passes on whatever it gets
            continue
        required = sum(parameter.default is inspect.Parameter.empty for parameter in parameters)
        assert calls == set(range(required, len(parameters) + 1))


@pytest.mark.parametrize("kind", UNUSABLE)
def test_a_value_that_no_exercise_asks_for_is_explained(kind):
    for name in EXERCISES:
        for _, answers in _variants(name, lambda _: [("", lambda *_: UNUSABLE[kind])]):
            assert _is_refused(name, answers), name


@pytest.mark.parametrize("name", EXERCISES)
def test_code_that_raises_is_told_with_the_line_of_the_cell(name):
    namespace = {"__name__": "__main__"}
    exec(compile("def answer(*_, **__):\n    return missing", "<a cell>", "exec"), namespace)
    for _, answers in _variants(name, lambda _: [("", namespace["answer"])]):
        with pytest.raises(CheckFailed) as caught:
            check(name, *answers)
        assert "your code raised NameError" in str(caught.value)
        assert "(line 2 of your cell)" in str(caught.value)
