"""Subcommands for labs: run, record, results, report, lint, portable."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
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
    run.add_argument(
        "--dataset",
        metavar="DATA",
        help="photodigits, cifar or folder:PATH: execute on these data, one lab at a time, into results/",
    )
    run.add_argument(
        "--out", type=Path, metavar="FOLDER", help="with --dataset: for notebooks, tables and pages"
    )

    record = add_subcommand(subcommands, "record", _record, "execute labs and store the outputs in them")
    record.add_argument("labs", nargs="*", metavar="LAB", help="01, 01_slug or a path")
    record.add_argument("--all", action="store_true", help="every lab")

    add_subcommand(subcommands, "results", _results, "write docs/results.md from labs/ and results/")

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
    """Execute labs into ``reports/executed``, or on other data into a folder of results."""
    if arguments.dataset is not None:
        return _run_on_data(arguments)
    if arguments.out is not None:
        raise ValueError("--out is for --dataset; without it labs are executed into reports/executed.")
    return _execute(find_labs(arguments.labs), settings.home() / "reports" / "executed", arguments.jobs)


def _run_on_data(arguments: argparse.Namespace) -> int:
    """Execute labs on the data set of ``--dataset``, and write tables and pages beside the notebooks."""
    from labkit.course.reports import data_runs
    from labkit.data import prepare

    labs = find_labs(arguments.labs)
    os.environ["LABKIT_DATASET"] = arguments.dataset  # the kernels inherit it
    selection = prepare()
    folder = arguments.out or settings.home() / "results" / selection.store
    data_runs.require_same_data(folder, selection.title, selection.budget)
    # One at a time: labs train and store the same checkpoints.
    status = _execute(labs, data_runs.executed_folder(folder), arguments.jobs or 1)
    written = data_runs.write_run(folder, selection.title, selection.budget)
    print(f"{len(written)} files, see {written[0]} and {written[-1]}")
    return status


def _execute(labs: Sequence[Path], out: Path, jobs: int | None) -> int:
    """Execute labs into a folder; print which failed."""
    from labkit.course.notebook.execution import run_all

    results = run_all(labs, jobs=jobs, out=out)
    failed = [result.path.name for result in results if result.error is not None]
    if failed:
        print(f"labkit: {len(failed)} of {len(results)} failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def _record(arguments: argparse.Namespace) -> int:
    """Execute labs in place, then update docs/results.md."""
    from labkit.course.notebook.execution import record

    if not arguments.labs and not arguments.all:
        raise ValueError(f"name the labs to record, or use --all; there are {lab_names()}.")
    paths = find_labs([] if arguments.all else arguments.labs)
    findings = [f"{path.name}: {finding}" for path in paths for finding in record(path)]
    if any(path.parent.samefile(settings.home() / "labs") for path in paths):
        _write_results()
    return print_findings(findings, f"recorded {len(paths)} notebooks")


def _results(arguments: argparse.Namespace) -> int:  # noqa: ARG001
    """Write docs/results.md, and say from how many runs."""
    print(f"{settings.home() / 'docs' / 'results.md'}: labs/ and {_write_results()} runs on other data")
    return 0


def _write_results() -> int:
    """Write docs/results.md; return the number of runs on other data."""
    from labkit.course.reports.data_runs import TABLES
    from labkit.course.reports.results_notes import read_notes
    from labkit.course.reports.results_page import write_results

    home = settings.home()
    runs, notes = sorted((home / "results").glob(f"*/{TABLES}")), read_notes(home / "docs" / "results.toml")
    write_results(home / "labs", home / "docs" / "results.md", runs, notes)
    return len(runs)


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
