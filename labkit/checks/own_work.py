"""Find what an answer takes from labkit, so that a check can ask for the student's own work.

The library functions of labkit compute what many exercises ask for. An exercise says which of them it
may call; a check refuses the others. This is a fence against shortcuts and not a wall: a name put
together at run time is not seen.
"""

from __future__ import annotations

import dis
import functools
import re
import sys
from collections.abc import Collection, Iterator, Mapping
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = ["borrowed", "public_path"]

LABKIT_NAME = re.compile(r"labkit(\.\w+)*")
GLOBAL_LOADS = ("LOAD_GLOBAL", "LOAD_NAME")
ATTRIBUTE_LOADS = ("LOAD_ATTR", "LOAD_METHOD")


def borrowed(answer: object, notebook: str, allowed: Collection[object] = ()) -> list[str]:
    """Return the names of labkit that an answer uses beyond the allowed ones, sorted.

    The search follows the functions and classes that the answer uses and that were defined beside it,
    aliases, ``functools.partial``, decorators, default values, closures, base classes and imports inside
    a function. Objects that labkit made, such as a data set or a network, may be used.

    Args:
        answer: a function, class or other object of a notebook.
        notebook: the ``__name__`` of the module that the notebook's cells run in. Cells of one notebook
            may have several namespaces of that name, as when they are graded.
        allowed: functions, classes or modules of labkit; a module allows all that it holds.

    >>> from labkit import linear
    >>> borrowed(linear.soft_threshold, "__main__")
    ['labkit.linear.soft_threshold']
    >>> borrowed(linear.soft_threshold, "__main__", allowed=[linear])
    []
    """
    permitted = {public_path(item) for item in allowed}
    borrowed_paths = {
        path
        for path in _Search(notebook).paths(answer)
        if not any(path == item or path.startswith(f"{item}.") for item in permitted)
    }
    return sorted(borrowed_paths)


def public_path(item: object) -> str:
    """Return the path by which a notebook reaches a module, function or class: the shortest that works.

    >>> from labkit import models
    >>> public_path(models.prunable_weights)
    'labkit.models.prunable_weights'
    """
    if isinstance(item, ModuleType):
        return item.__name__
    module, name = str(getattr(item, "__module__", "")), str(getattr(item, "__qualname__", ""))
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        package = sys.modules.get(".".join(parts[:end]))
        if package is not None and getattr(package, name, None) is item:
            return f"{'.'.join(parts[:end])}.{name}"
    return f"{module}.{name}"


class _Search:
    """Walks through an answer; each object is visited once."""

    def __init__(self, notebook: str) -> None:
        self.notebook = notebook
        self.seen: dict[int, object] = {}  # by identity; kept, since an id is used again after its object

    def paths(self, item: object) -> Iterator[str]:
        """Yield the paths of what ``item`` is, or uses, of labkit."""
        if id(item) in self.seen:
            return
        self.seen[id(item)] = item
        if _is_labkits(item):
            yield public_path(item)
        elif isinstance(item, FunctionType):
            yield from self._of_function(item)
        elif isinstance(item, type) and self._defined_beside(item):
            yield from self.all_paths([*item.__bases__, *vars(item).values()])
        elif self._defined_beside(type(item)):
            yield from self.all_paths([type(item), *getattr(item, "__dict__", {}).values()])
        yield from self.all_paths(_parts(item))

    def all_paths(self, items: Any) -> Iterator[str]:
        """Yield the paths of each item."""
        for item in list(items):
            yield from self.paths(item)

    def _defined_beside(self, kind: type) -> bool:
        """Whether a class was defined in the notebook."""
        return kind.__module__ == self.notebook

    def _of_function(self, function: FunctionType) -> Iterator[str]:
        """Yield the paths of a function of the notebook; another library's function is its own affair."""
        if function.__globals__.get("__name__") != self.notebook:
            return
        cells = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        yield from self.all_paths(
            [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
        )
        yield from self.all_paths(cells)
        yield from self._of_code(function.__code__, function.__globals__)

    def _of_code(self, code: CodeType, namespace: Mapping[str, Any]) -> Iterator[str]:
        """Yield the paths of the names that code reads, code inside it included."""
        value: object = None  # a global name; of a module of labkit, the attributes that follow
        for instruction in dis.get_instructions(code):
            name = str(instruction.argval)
            if instruction.opname in ATTRIBUTE_LOADS and _is_labkits_module(value):
                value = getattr(value, name, None)
                continue
            yield from self.paths(value)
            value = namespace.get(name) if instruction.opname in GLOBAL_LOADS else None
            if instruction.opname == "IMPORT_NAME" and LABKIT_NAME.fullmatch(name):
                yield name
        yield from self.paths(value)
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                yield from self._of_code(constant, namespace)


def _parts(item: object) -> list[object]:
    """Return the objects inside a container, a method, a decorated function and their like."""
    parts: list[object] = [getattr(item, "__wrapped__", None)]
    match item:
        case functools.partial():
            parts += [item.func, *item.args, *item.keywords.values()]
        case MethodType() | BuiltinMethodType():
            owner = item.__self__
            parts += [getattr(item, "__func__", None), owner if isinstance(owner, type) else type(owner)]
        case staticmethod() | classmethod():
            parts.append(item.__func__)
        case property():
            parts += [item.fget, item.fset]
        case list() | tuple() | set() | frozenset():
            parts += item
        case dict():
            parts += item.values()
    return parts


def _is_labkits(item: object) -> bool:
    """Whether an object is a module of labkit, or a function or class defined in one."""
    if isinstance(item, ModuleType):
        return _is_labkits_module(item)
    if not isinstance(item, FunctionType | type | functools._lru_cache_wrapper):
        return False
    return LABKIT_NAME.fullmatch(str(getattr(item, "__module__", ""))) is not None


def _is_labkits_module(item: object) -> bool:
    return isinstance(item, ModuleType) and LABKIT_NAME.fullmatch(item.__name__) is not None


def _is_empty(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return True
    return False
