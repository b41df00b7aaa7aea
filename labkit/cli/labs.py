"""Subcommands for labs: run, record, report, lint, portable."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit import settings
from labkit.cli.common import add_subcommand, print_findings
from labkit.course.notebook.paths import find_labs, lab_names

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    run = add_subcommand(
        subcommands, "run", _run, "execute labs into reports/executed without changing them"
    )
    run.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    run.add_argument("--jobs", type=int, metavar="N", help="how many run at a time; default: by memory")

    record = add_subcommand(subcommands, "record", _record, "execute labs and store the outputs in them")
    record.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path")
    record.add_argument("--all", action="store_true", help="every lab")

    report = add_subcommand(subcommands, "report", _report, "render the executed labs as web pages")
    report.add_argument("--out", type=Path, metavar="FOLDER", help="default: reports")
    report.add_argument(
        "--markdown", action="store_true", help="write tables and written answers as Markdown instead"
    )

    portable = add_subcommand(
        subcommands, "portable", _portable, "compare labs and recipes with other arithmetic"
    )
    portable.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")
    portable.add_argument("--no-replays", action="store_true", help="leave out the shipped recipes")
    portable.add_argument("--only", metavar="TEXT", help="settings whose name contains TEXT, such as AVX2")

    lint = add_subcommand(subcommands, "lint", _lint, "check that labs are well-formed and complete")
    lint.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path; default: all")


def _run(arguments: argparse.Namespace) -> int:
    """Execute labs into ``reports/executed``."""
    from labkit.course.notebook.execution import run_all

    out = settings.home() / "reports" / "executed"
    results = run_all(find_labs(arguments.labs), jobs=arguments.jobs, out=out)
    failed = [result.path.name for result in results if result.error is not None]
    if failed:
        print(f"labkit: {len(failed)} of {len(results)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _record(arguments: argparse.Namespace) -> int:
    """Execute labs in place, then update docs/results.md."""
    from labkit.course.notebook.execution import record
    from labkit.course.reports.results_page import write_results

    if not arguments.labs and not arguments.all:
        raise ValueError(f"name the labs to record, or use --all; there are {lab_names()}.")
    paths = find_labs([] if arguments.all else arguments.labs)
    findings = [f"{path.name}: {finding}" for path in paths for finding in record(path)]
    if any(path.parent.samefile(settings.home() / "labs") for path in paths):
        write_results(settings.home() / "labs", settings.home() / "docs" / "results.md")
    return print_findings(findings, f"recorded {len(paths)} notebooks")


def _report(arguments: argparse.Namespace) -> int:
    """Render the notebooks that ``labkit run`` executed."""
    from labkit.course.reports.markdown_report import write_markdown
    from labkit.course.reports.site import render_all

    executed = settings.home() / "reports" / "executed"
    if not executed.is_dir():
        raise ValueError(
            f"{executed} does not exist, so there is nothing to render; run `labkit run` first."
        )
    render = write_markdown if arguments.markdown else render_all
    pages = render(executed, arguments.out or settings.home() / "reports")
    print(f"{len(pages)} pages, see {pages[-1]}")
    return 0


def _portable(arguments: argparse.Namespace) -> int:
    """Run the nbval run and the replays in every setting, and print the differences."""
    from labkit.course.portability import SETTINGS, comparison_table, measure
    from labkit.tables import table_bundle

    selected = [setting for setting in SETTINGS if (arguments.only or "") in setting.name]
    if not selected:
        names = "; ".join(setting.name for setting in SETTINGS)
        raise ValueError(f"no setting contains {arguments.only!r}; there are {names}.")
    labs = find_labs(arguments.labs)
    measured = {
        setting.name: measure(setting, labs, replays=not arguments.no_replays) for setting in selected
    }
    columns, rows, rest = comparison_table(measured)
    print(table_bundle("Share of its tolerance that each cell or recipe used", columns, rows)["text/plain"])
    print(rest)
    failed = sorted({item for shares in measured.values() for item, share in shares.items() if share > 1})
    return print_findings([f"does not hold everywhere: {item}" for item in failed], "all within tolerance")


def _lint(arguments: argparse.Namespace) -> int:
    """Print what is missing or wrong."""
    from labkit.course.notebook.lint import lint
    from labkit.course.notebook.structure import read_lab

    paths = find_labs(arguments.labs)
    findings = []
    for path in paths:
        try:
            findings += [f"{path.name}: {finding}" for finding in lint(read_lab(path))]
        except ValueError as error:  # names the file itself
            findings.append(str(error))
    return print_findings(findings, f"{len(paths)} notebooks are complete")
