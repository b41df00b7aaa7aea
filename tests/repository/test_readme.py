"""The README's Python does what the README says it does, and its links lead somewhere."""

import re
from pathlib import Path

import pytest
import torch

from labkit.course.notebook.comparison import Tolerance, differences

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```python\n(.*?)```\n+```text\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
# Training rounds differently on another processor: with AVX2 instead of AVX-512 the network read back
# is one point better, and its file as large.
TOLERANCE = Tolerance(rtol=0.03)


@pytest.mark.heavy
def test_the_python_example_prints_what_stands_below_it(tmp_path, monkeypatch, capsys):
    ((program, recorded),) = EXAMPLE.findall(README)
    monkeypatch.chdir(tmp_path)
    with torch.random.fork_rng():
        exec(compile(program, "README.md", "exec"), {})
    assert differences(recorded, capsys.readouterr().out, TOLERANCE) == []


@pytest.mark.parametrize(
    "page", ["README.md", *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
)
def test_every_relative_link_leads_to_a_file(page):
    path = ROOT / page
    links = LINK.findall(path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
