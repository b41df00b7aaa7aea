"""Find results that a released notebook tells before the student has produced them.

A result is a number of at least three significant digits in the recorded output of a lab. Leaves out:
results told in words, and numbers of two digits, which a reader must look for.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal

from nbformat import NotebookNode

from labkit.course.notebook.structure import cell_info, cell_role, syntax_tree

__all__ = ["find_spoilers"]

RESULT_ROLES = ("run", "summary", "hidden", "claim")
NUMBER = re.compile(r"(?<![\w.,^{])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?![\w,]*\d)")
LEADING_ZERO = re.compile(r"0\d")
EXERCISE = re.compile(r"\d+\.\d+")  # the number in the id of an exercise or a written answer
LEAST_DIGITS = 3  # significant ones
MOST_PLACES = 6
MOST_DIGITS = 20


def find_spoilers(source: NotebookNode, released: NotebookNode) -> list[str]:
    """List the results that the text and the code of a released notebook tell, one sentence each.

    Text is what a student reads: Markdown, and the strings and comments of code cells. A number in it is
    a result if an output of the source, rounded to as many places, is the same number. These are not
    results: numbers that the code of the released notebook holds as literals, since the experiments start
    from them; powers of two and of ten; the numbers of exercises, such as 12.4; and those that a cell lists in
    its label ``given``, which a text tells on purpose.

    Args:
        source: a lab with recorded outputs.
        released: its student version.
    """
    results = _results(source)
    literals = {value for cell in released.cells for value in _literals(cell)}
    numbers = {
        Decimal(match[0]) for cell in released.cells if (match := EXERCISE.match(cell_info(cell).exercise))
    }
    spoilers = []
    for cell in released.cells:
        intended = {Decimal(str(value)) for value in cell_info(cell).given}
        shown = dict.fromkeys(text for part in _read_by_students(cell) for text in NUMBER.findall(part))
        for text in shown:
            number = Decimal(text.replace(",", ""))
            if LEADING_ZERO.match(text):
                continue  # an exercise such as 04.10, or bits
            if number in literals | intended | numbers or _digits(text) < LEAST_DIGITS or _is_round(number):
                continue
            if number in results[_places(text)]:
                spoilers.append(
                    f"cell {cell.id} tells {text}, which {results[_places(text)][number]} outputs"
                )
    return spoilers


def _results(source: NotebookNode) -> defaultdict[int, dict[Decimal, str]]:
    """Return the numbers in recorded outputs and the cell of each, by the places they are rounded to."""
    results: defaultdict[int, dict[Decimal, str]] = defaultdict(dict)
    for cell in source.cells:
        if cell_role(cell) not in RESULT_ROLES:
            continue
        for text in _outputs(cell):
            for shown in NUMBER.findall(text):
                number = Decimal(shown.replace(",", ""))
                if len(shown) > MOST_DIGITS:
                    continue  # a hash or a bit string
                for places in range(min(_places(shown), MOST_PLACES) + 1):
                    if places or number == number.to_integral_value():
                        rounded = round(number, places)
                        results[places].setdefault(rounded, cell.id)
    return results


def _outputs(cell: NotebookNode) -> Iterator[str]:
    """Yield the printed text of a cell and the text of its tables."""
    for output in cell.get("outputs", ()):
        if output.output_type == "stream":
            yield output.text
        elif "data" in output:
            yield output.data.get("text/plain", "")


def _read_by_students(cell: NotebookNode) -> Iterator[str]:
    """Yield the texts of a cell: Markdown, or the strings and comments of code."""
    if cell.cell_type == "markdown":
        yield cell.source
        return
    tree = syntax_tree(cell.source)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(cell.source).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    yield from (token.string for token in tokens if token.type == tokenize.COMMENT)


def _literals(cell: NotebookNode) -> Iterator[Decimal]:
    """Yield the numbers in the code of a cell."""
    tree = syntax_tree(cell.source) if cell.cell_type == "code" else None
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            yield Decimal(str(node.value))


def _places(text: str) -> int:
    """Return the number of places after the point."""
    return len(text.partition(".")[2])


def _digits(text: str) -> int:
    """Return the number of significant digits; zeros at the end of an integer count."""
    return len(text.replace(",", "").replace(".", "").lstrip("0"))


def _is_round(number: Decimal) -> bool:
    """Whether a number is one digit and zeros, such as 2,000, or a power of two."""
    whole = int(number)
    if number != whole:
        return False
    return len(str(whole).rstrip("0")) <= 1 or whole & (whole - 1) == 0
