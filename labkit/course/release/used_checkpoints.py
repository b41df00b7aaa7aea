"""Tell which checkpoints the code of a lab names."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

from nbformat import NotebookNode

from labkit.course.notebook.structure import syntax_tree

__all__ = ["used_checkpoints"]


def used_checkpoints(notebook: NotebookNode, names: Collection[str]) -> set[str]:
    """Return those of ``names`` that occur as a string in a code cell of ``notebook``.

    An f-string that begins with text stands for every name that it can make:
    ``f"resnet20-quantized-{bits}"`` for all names that begin so. A lab may get a checkpoint too many,
    but none too few, as long as it writes at least the beginnings of the names.
    """
    patterns = [
        pattern
        for cell in notebook.cells
        if cell.cell_type == "code" and (tree := syntax_tree(cell.source)) is not None
        for pattern in _patterns(tree)
    ]
    return {name for name in names if any(pattern.fullmatch(name) for pattern in patterns)}


def _patterns(tree: ast.Module) -> Iterator[re.Pattern[str]]:
    """What each string and f-string of the code can be."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.compile(re.escape(node.value))
        elif isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
            parts = (re.escape(str(p.value)) if isinstance(p, ast.Constant) else ".*" for p in node.values)
            yield re.compile("".join(parts))
