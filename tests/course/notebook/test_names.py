import pytest

from labkit.course.notebook.names import cell_names


@pytest.mark.parametrize(
    ("source", "defines", "imports", "needs"),
    [
        ("def f(w):\n    v = w + u\n    return v", "f", "", "u"),
        ("class A(B):\n    c = d\n    def m(self):\n        return self.e(g)", "A", "", "B d g"),
        ("a[i] = b.c = 3", "", "", "a b i"),
        ("x, *y = z\nw: int = 1\nfor k in x:\n    pass", "k w x y", "", "int z"),
        ("with p() as q:\n    r = (s := q)", "q r s", "", "p"),
        ("import a.b, c as d\nfrom e import f as g, h", "", "a d g h", ""),
        ("from e import *\nfrom . import j", "", "* j", ""),
        ("def f():\n    global g\n    import h\n    g = h.i", "f g", "", ""),
        ("x = [k * n for k in rows if k]", "x", "", "n rows"),
        ("x = {k: {m for m in v if m in k} for k, v in p.items()}", "x", "", "p"),
        ("k = 1\nx = [(y := k) for k in r]", "k x y", "", "r"),
        ("async def f():\n    await g()\nawait f()", "f", "", "g"),
        ("f = lambda x=d: x + y", "f", "", "d y"),
    ],
)
def test_the_names_of_a_cell(source, defines, imports, needs):
    names = cell_names(source)
    assert sorted(names.defines) == defines.split()
    assert sorted(names.imports) == imports.split()
    assert sorted(names.needs) == needs.split()


def test_each_imported_name_has_a_statement_that_imports_it_alone():
    names = cell_names("import os.path, math as m\nfrom ..a.b import c as d, e")
    assert names.imports == {
        "os": "import os.path",
        "m": "import math as m",
        "d": "from ..a.b import c as d",
        "e": "from ..a.b import e",
    }


@pytest.mark.parametrize("source", ["%time f()", "x =", "a\0b", "(" * 500, "def f(x, x): pass"])
def test_a_cell_that_is_not_python_has_no_names(source):
    assert cell_names(source) is None
