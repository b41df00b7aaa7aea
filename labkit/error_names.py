"""Names of errors that do not depend on the version of Python, and what is said where input() is called.

Python 3.13 and newer raise a private subclass of SyntaxError, ``_IncompleteInputError``, for a notebook
cell that ends too early. labkit prints the public class instead: students find it in books, and results
are the same with every version.
"""

from __future__ import annotations

__all__ = ["NO_INPUT", "public_name", "with_public_names"]

NO_INPUT = "input() cannot be used: nobody can type while the answer runs; write the value into the code"
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
