"""The verbs of the command line. Parsing and messages only: what a verb does stands in the package.

Exit status: 0 done, 1 a notebook failed or breaks a limit, 2 wrong input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from labkit import __version__, repro

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; ``argv`` without the program's name, by default what the shell gave.

    Returns:
        The exit status.
    """
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.verb(arguments))
    except (ValueError, RuntimeError, OSError, FloatingPointError) as error:
        print(f"labkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    """The verbs and their options."""
    parser = argparse.ArgumentParser(prog="labkit", description="Run, record, check and render the labs.")
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB")

    run = _add_verb(verbs, "run", _run, "execute labs into reports/executed; the labs are not changed")
    run.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    run.add_argument("--jobs", type=int, metavar="N", help="how many at a time; default: as memory allows")

    record = _add_verb(verbs, "record", _record, "execute labs and store their outputs in them")
    record.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path")
    record.add_argument("--all", action="store_true", help="every lab")

    report = _add_verb(verbs, "report", _report, "render the executed labs as web pages")
    report.add_argument("--out", type=Path, metavar="FOLDER", help="default: reports")

    train = _add_verb(verbs, "train", _train, "make checkpoints that are missing or out of date")
    train.add_argument("names", nargs="*", metavar="NAME", help="a checkpoint; see --list")
    train.add_argument("--all", action="store_true", help="every checkpoint")
    train.add_argument("--list", action="store_true", help="list the checkpoints there are")

    lint = _add_verb(verbs, "lint", _lint, "check the labs' structure and limits")
    lint.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    return parser


def _add_verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    action: object,
    description: str,
) -> argparse.ArgumentParser:
    """A sub-parser whose namespace carries the function that does the work."""
    parser = verbs.add_parser(name, help=description, description=description)
    parser.set_defaults(verb=action)
    return parser


def _run(arguments: argparse.Namespace) -> int:
    """Execute labs into ``reports/executed``."""
    from labkit.course.execution import run_all

    out = repro.home() / "reports" / "executed"
    results = run_all(_chosen(arguments.labs), jobs=arguments.jobs, out=out)
    failed = [result.path.name for result in results if result.error is not None]
    if failed:
        print(f"labkit: {len(failed)} of {len(results)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _record(arguments: argparse.Namespace) -> int:
    """Execute labs in place, then renew docs/results.md."""
    from labkit.course.execution import record
    from labkit.course.report import write_results

    if not arguments.labs and not arguments.all:
        raise ValueError(f"say which labs to record, or --all; there are {_listing()}.")
    paths = _chosen([] if arguments.all else arguments.labs)
    findings = [f"{path.name}: {finding}" for path in paths for finding in record(path)]
    if any(path.parent.samefile(repro.home() / "labs") for path in paths):
        write_results(repro.home() / "labs", repro.home() / "docs" / "results.md")
    return _tell(findings, f"recorded {len(paths)} notebooks")


def _report(arguments: argparse.Namespace) -> int:
    """Render what ``labkit run`` left."""
    from labkit.course.report import render_all

    executed = repro.home() / "reports" / "executed"
    if not executed.is_dir():
        raise ValueError(f"there is nothing to render in {executed}; run `labkit run` first.")
    pages = render_all(executed, arguments.out or repro.home() / "reports")
    print(f"{len(pages)} pages, see {pages[-1]}")
    return 0


def _train(arguments: argparse.Namespace) -> int:
    """Make checkpoints, or list them."""
    from labkit import recipes

    if arguments.list:
        for recipe in recipes.RECIPES.values():
            print(f"{recipe.name:32}{recipe.description}")
        return 0
    if not arguments.names and not arguments.all:
        raise ValueError("say which checkpoints to make, or --all; `labkit train --list` shows them.")
    recipes.train(list(recipes.RECIPES) if arguments.all else arguments.names)
    return 0


def _lint(arguments: argparse.Namespace) -> int:
    """List what breaks a limit."""
    from labkit.course.lint import lint
    from labkit.course.notebooks import parse

    paths = _chosen(arguments.labs)
    findings = []
    for path in paths:
        try:
            findings += [f"{path.name}: {finding}" for finding in lint(parse(path))]
        except ValueError as error:  # names the file itself
            findings.append(str(error))
    return _tell(findings, f"{len(paths)} notebooks keep every limit")


def _tell(findings: Sequence[str], success: str) -> int:
    """Print what was found, or that all is well; the exit status."""
    print("\n".join(findings) or success)
    return 1 if findings else 0


def _chosen(names: Sequence[str]) -> list[Path]:
    """The notebooks that ``names`` stand for, each once; all labs if there are no names.

    Raises:
        ValueError: if a name fits no notebook, or several; lists those there are.
    """
    labs = _labs()
    if not names:
        if not labs:
            raise ValueError(f"there are no labs in {repro.home() / 'labs'}.")
        return labs
    return list(dict.fromkeys(_find(name, labs) for name in names))


def _find(name: str, labs: Sequence[Path]) -> Path:
    """The notebook that ``name`` stands for: a path, a file name, or how one begins."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    found = [lab for lab in labs if lab.stem == path.stem] or [
        lab for lab in labs if lab.name.startswith(name)
    ]
    if len(found) != 1:
        problem = "several labs begin" if found else "there is no lab that begins"
        raise ValueError(f"{problem} with {name!r}; there are {_listing()}.")
    return found[0]


def _labs() -> list[Path]:
    """The workbook's notebooks, in order."""
    return sorted((repro.home() / "labs").glob("[0-9][0-9]_*.ipynb"))


def _listing() -> str:
    """The names of the labs, for a message."""
    return ", ".join(lab.stem for lab in _labs()) or "none yet"


if __name__ == "__main__":
    sys.exit(main())
