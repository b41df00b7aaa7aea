"""What the grader and the program in the sandbox write to each other: JSON objects, one per line.

A request comes from the grader. A reply may hold anything, since the student's code can write it: all its
fields are ``object``, so whoever reads one has to check what it is.
"""

from __future__ import annotations

from typing import TypedDict

__all__ = ["Allowed", "ExerciseRequest", "Reply", "Request", "SetupRequest"]


class Allowed(TypedDict):
    """The resources that the cells of one exercise may use."""

    cpu_s: int
    wall_s: float  # for each cell
    memory_bytes: int
    file_bytes: int
    output_chars: int


class SetupRequest(TypedDict):
    """The first request: the cells, id and source, that run before all exercises."""

    setup: list[list[str]]


class ExerciseRequest(TypedDict):
    """The cells of one exercise, id and source, in order; ``last`` is the id of the check or hidden cell."""

    cells: list[list[str]]
    last: str
    limits: Allowed


Request = SetupRequest | ExerciseRequest


class Reply(TypedDict, total=False):
    """To a setup, ``ready`` and ``error``; to an exercise, ``cells`` and ``ended``.

    As the program writes them, ``cells`` is a list of ``{"cell", "error", "text", "own"}``, and ``ended`` is
    None or ``{"why", "cell"}``.
    """

    ready: object
    error: object
    cells: object
    ended: object
