"""The names by which the cells of a notebook depend on each other: what a cell defines, imports and reads."""

from __future__ import annotations

import ast
import copy
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from labkit.course.notebook.structure import syntax_tree

__all__ = ["CellNames", "cell_names"]


@dataclass(frozen=True)
class CellNames:
    """The global names of a cell.

    Attributes:
        defines: bound by ``def``, ``class`` or an assignment.
        imports: by name, the statement that imports it at the cell's top level.
        reads: read by the cell, or by a function that it defines; local variables are not among them.
    """

    defines: frozenset[str] = frozenset()
    imports: Mapping[str, str] = field(default_factory=dict)
    reads: frozenset[str] = frozenset()

    @property
    def needs(self) -> frozenset[str]:
        """The names that the cell reads but neither defines nor imports itself."""
        return self.reads - self.defines - set(self.imports)


@lru_cache(maxsize=1024)
def cell_names(source: str) -> CellNames | None:
    """Return the names of a cell; None if it is not Python, for example because of a magic.

    >>> names = cell_names("import math\\ndef area(r):\\n    w = scale * r\\n    return math.pi * w * w")
    >>> sorted(names.defines), dict(names.imports), sorted(names.needs)
    (['area'], {'math': 'import math'}, ['scale'])
    """
    tree = syntax_tree(source)
    if tree is None:
        return None
    try:
        scoped = ast.unparse(_OwnScopes().visit(copy.deepcopy(tree)))
        top = symtable.symtable(scoped, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # such as a `return` outside a function
        return None
    defines, reads = set[str](), set[str]()
    for scope in _scopes(top):
        for symbol in scope.get_symbols():
            if scope is top or symbol.is_global():
                defines |= {symbol.get_name()} if symbol.is_assigned() else set()
                reads |= {symbol.get_name()} if symbol.is_referenced() else set()
    return CellNames(frozenset(defines), dict(_imports(tree)), frozenset(reads))


class _OwnScopes(ast.NodeTransformer):
    """Turns comprehensions into generator expressions: those have a scope of their own in every Python.

    From Python 3.12 on, symtable has the variables of the other comprehensions among those around them.
    """

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> ast.GeneratorExp:
        """Keep the element."""
        self.generic_visit(node)
        return ast.GeneratorExp(node.elt, node.generators)

    visit_SetComp = visit_ListComp

    def visit_DictComp(self, node: ast.DictComp) -> ast.GeneratorExp:
        """Make a pair of key and value."""
        self.generic_visit(node)
        return ast.GeneratorExp(ast.Tuple([node.key, node.value], ast.Load()), node.generators)


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    """Yield a scope and all scopes inside it."""
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield each name that a top-level statement imports, with a statement that imports it alone."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (alias.asname or alias.name).split(".")[0], ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            for alias in node.names:
                statement = ast.ImportFrom(node.module, [alias], node.level)
                yield alias.asname or alias.name, ast.unparse(statement)
