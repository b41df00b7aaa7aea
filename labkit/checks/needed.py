"""Say in one line, in place of a traceback, that a cell of a notebook needs an exercise that is not started."""

from __future__ import annotations

import ast
import sys
from types import TracebackType
from typing import Any

from labkit.error_names import NEEDS, needed_exercise

__all__ = ["explain_needs"]

ERRORS = (NotImplementedError, NameError)


def explain_needs() -> None:
    """From now on, let IPython explain why a cell stops if an exercise that it needs is not started.

    Such a cell stops with the error of the exercise's stub. A later cell that uses a variable which the
    stopped cell would have assigned stops with a NameError, and needs the same exercise. All other errors
    are shown as before. Outside IPython, and if it is already so, nothing changes.
    """
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    # A student's own handler stays.
    if shell is not None and getattr(shell, "custom_exceptions", None) == ():
        shell.set_custom_exc(ERRORS, _Explainer().show)


class _Explainer:
    """Shows errors, and remembers which variables are missing for want of which exercise."""

    def __init__(self) -> None:
        self.missing: dict[str, str] = {}

    def show(
        self,
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType,
        tb_offset: int | None = None,
    ) -> None:
        """Show one error; the parameters are those of IPython's ``set_custom_exc``."""
        name = error.name if isinstance(error, NameError) else None
        exercise = needed_exercise(kind.__name__, str(error)) or self.missing.get(str(name))
        if exercise and not hasattr(error, "_render_traceback_"):
            text = f"This cell {NEEDS}{exercise}, which is not started yet"
            line = f"{text}: without it there is no {name!r}." if name else f"{text}."
            error._render_traceback_ = lambda: [line]  # type: ignore[attr-defined]  # IPython calls it
            missing = _assigned(shell.user_ns["In"][-1]) - set(shell.user_ns)
            self.missing |= dict.fromkeys(missing, exercise)
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def _assigned(source: str) -> set[str]:
    """The variables, functions and classes that a cell defines outside functions; none if it is not Python."""
    try:
        statements = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for statement in statements:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(statement.name)
        else:
            nodes = (node for node in ast.walk(statement) if isinstance(node, ast.Name))
            names |= {node.id for node in nodes if isinstance(node.ctx, ast.Store)}
    return names
