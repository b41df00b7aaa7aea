"""Names of errors that do not depend on the version of Python, and errors that need words of their own.

Python 3.13 and newer raise a private subclass of SyntaxError, ``_IncompleteInputError``, for a notebook
cell that ends too early. labkit prints the public class instead: students find it in books, and results
are the same with every version.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["NEEDS", "NO_INPUT", "needed_exercise", "public_name", "with_public_names"]

NO_INPUT = "input() cannot be used: nobody can type while the answer runs; write the value into the code"
NEEDS = "needs exercise "  # stands in what a notebook shows in place of such an error's traceback
STUB_ERRORS = ("NotImplementedError", "NotStarted")
PUBLIC = {"_IncompleteInputError": "SyntaxError"}


def public_name(error: BaseException | str) -> str:
    """Return the public name of an error's class, from the error or from the name a kernel reported.

    >>> public_name("_IncompleteInputError"), public_name(KeyError("k"))
    ('SyntaxError', 'KeyError')
    """
    name = error if isinstance(error, str) else type(error).__name__
    return PUBLIC.get(name, name)


def with_public_names(text: str) -> str:
    """Replace private names by public ones in a text such as a traceback.

    >>> with_public_names("_IncompleteInputError: incomplete input (cell, line 1)")
    'SyntaxError: incomplete input (cell, line 1)'
    """
    for private, public in PUBLIC.items():
        text = text.replace(private, public)
    return text


def needed_exercise(name: str, text: str, shown: Sequence[str] = ()) -> str | None:
    """Return the exercise that is not started if this is why a cell stopped, else None.

    Args:
        name: of the error's class.
        text: the error's message; that of a stub begins with ``Exercise 02.3``.
        shown: the lines that the notebook shows in place of a traceback.

    >>> needed_exercise("NotImplementedError", "Exercise 02.3"), needed_exercise("KeyError", "Exercise 02.3")
    ('02.3', None)
    """
    stub = re.match(r"Exercise (\d+\.\d+)", text)
    if stub and name in STUB_ERRORS:
        return stub[1]
    needs = re.match(rf"This cell {NEEDS}(\d+\.\d+)", shown[0]) if shown else None
    return needs[1] if needs else None
