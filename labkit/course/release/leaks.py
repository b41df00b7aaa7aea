"""Find answers that a released notebook still shows, by reading it.

:mod:`labkit.course.grading.verification` proves by running that solutions earn full marks and the
untouched release none.
"""

from __future__ import annotations

import ast
import base64
import keyword
import re
from collections.abc import Iterator, Mapping
from typing import Any

from nbformat import NotebookNode

from labkit.course.notebook.structure import (
    BEGIN_SOLUTION,
    END_SOLUTION,
    WRITTEN_ROLES,
    cell_role,
    syntax_tree,
)
from labkit.course.release.strip import AUTHORS_ROLES, SOLUTION, answer_prompt

__all__ = ["find_leaks"]

HIDDEN_MIN_WORDS = 5  # a hidden cell calls what every cell may call; only its inputs are secret
EVERYWHERE = re.compile(r"\w+ = copy\.deepcopy\(\w+\)|torch\.manual_seed\(\d+\)")
MIN_WORDS = 3  # of a line, keywords and comments not counted; `return result` reveals nothing
COMMENT = re.compile(r"\s#.*$")
SCAFFOLD = re.compile(r"(import|from)\s.*|@.*|.*:")  # imports, decorates or opens a block
VERDICT = re.compile(r"""["'].+["']\s*:\s*(True|False),?""")  # of a true-or-false question


def find_leaks(source: NotebookNode, released: NotebookNode) -> list[str]:
    """List the answers that a released notebook still shows, one sentence each.

    The search covers every text of every cell (source, outputs, attachments, metadata) and ignores
    blanks and line breaks. It looks for solution delimiters, hidden cells, claims, and each revealing
    line of a solution, a model answer, a hidden cell or its recorded output.

    A line is revealing if it has at least three words or numbers besides Python's keywords and a
    trailing comment, and does more than open a block (``for …:``), import or decorate; or if it
    answers a true-or-false question (``"key": True``). A line of a hidden cell needs five words.
    Lines that any use of labkit needs reveal nothing: those that copy or seed a model, and those that
    give a name to what one labkit function returns for plain names
    (``weights = models.prunable_weights(model)``).
    """
    leaks = [
        f"cell {cell.id} is a {cell_role(cell)} cell"
        for cell in released.cells
        if cell_role(cell) in AUTHORS_ROLES
    ]
    texts = {cell.id: [_squeezed(text) for text in _texts(cell)] for cell in released.cells}
    secrets = [(_squeezed(mark), "a solution's delimiter") for mark in (BEGIN_SOLUTION, END_SOLUTION)]
    modules = _labkit_modules(source)
    for cell in source.cells:
        lines = (line for line in _secret_lines(cell) if not _is_labkit_call(line, modules))
        secrets += [(_squeezed(line), f"{line!r} of cell {cell.id}") for line in lines]
    for cell_id, parts in texts.items():
        shown = (description for secret, description in secrets if any(secret in part for part in parts))
        leaks += [f"cell {cell_id} shows {description}" for description in dict.fromkeys(shown)]
    return leaks


def _secret_lines(cell: NotebookNode) -> list[str]:
    """The revealing lines of a source cell, which a release must not show."""
    role, lines = cell_role(cell), []
    if role == "todo":
        blocks = [match[0] for match in SOLUTION.finditer(cell.source)]
        lines = [line for block in blocks for line in block.splitlines()[1:-1]]
    elif role in WRITTEN_ROLES:
        kept = answer_prompt(cell.source).splitlines()
        lines = [line for line in cell.source.splitlines() if line.strip() not in kept]
    elif role == "hidden":
        outputs = [text for output in cell.outputs for text in _strings(output)]
        lines = [line for text in (cell.source, *outputs) for line in text.splitlines()]
    least = HIDDEN_MIN_WORDS if role == "hidden" else MIN_WORDS
    return [
        shown for shown in (COMMENT.sub("", line).strip() for line in lines) if _is_revealing(shown, least)
    ]


def _is_revealing(line: str, least: int = MIN_WORDS) -> bool:
    """Whether a line reveals something; :func:`find_leaks` states the rule."""
    if SCAFFOLD.fullmatch(line) or EVERYWHERE.fullmatch(line):
        return False
    words = [word for word in re.findall(r"\w+", line) if not keyword.iskeyword(word)]
    return len(words) >= least or VERDICT.fullmatch(line) is not None


def _labkit_modules(notebook: NotebookNode) -> set[str]:
    """The names of labkit's modules that the setup cells import."""
    statements = [
        node
        for cell in notebook.cells
        if cell_role(cell) == "setup" and (tree := syntax_tree(cell.source)) is not None
        for node in tree.body
    ]
    return {
        alias.asname or alias.name
        for node in statements
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "labkit"
        for alias in node.names
    }


def _is_labkit_call(line: str, modules: set[str]) -> bool:
    """Whether a line only gives a name to what a labkit function returns for plain names."""
    tree = syntax_tree(line)
    match tree.body if tree else []:
        case [
            ast.Assign(
                targets=[ast.Name()],
                value=ast.Call(func=ast.Attribute(value=ast.Name(id=module)), args=args, keywords=[]),
            )
        ]:
            return module in modules and all(isinstance(arg, ast.Name) for arg in args)
    return False


def _texts(cell: NotebookNode) -> Iterator[str]:
    """Every text of a cell, attachments decoded."""
    yield from _strings(cell)
    for bundle in cell.get("attachments", {}).values():
        for content in bundle.values():
            yield base64.b64decode("".join(_strings(content)) + "==").decode("utf-8", "replace")


def _strings(value: Any) -> Iterator[str]:
    """The strings in nested dicts and lists, keys included; a list of strings also as one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield str(key)
            yield from _strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)
        yield "".join(part for part in value if isinstance(part, str))


def _squeezed(text: str) -> str:
    """A text without blanks, so re-wrapping and re-indenting hide nothing."""
    return "".join(text.split())
