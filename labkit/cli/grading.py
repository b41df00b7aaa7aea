"""Subcommands for grading: grade."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from labkit import settings
from labkit.cli.common import add_subcommand
from labkit.course.notebook.paths import find_labs

if TYPE_CHECKING:
    from labkit.course.grading.config import GradingConfig

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    grade = add_subcommand(
        subcommands, "grade", _grade, "grade a class: tables, feedback pages, an overview of the class"
    )
    grade.add_argument(
        "submissions", type=Path, metavar="SUBMISSIONS", help="a folder with one folder or zip per student"
    )
    grade.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="results; an interrupted run continues"
    )
    grade.add_argument(
        "--lab", action="append", default=[], metavar="LAB", help="01 or a path; default: all"
    )
    grade.add_argument("--student", action="append", default=[], metavar="NAME", help="only this one")
    grade.add_argument(
        "--notebooks", action="store_true", help="also write what was graded, as one notebook per student"
    )
    grade.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes; default: 1")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster, such as tcp://host:8786")
    grade.add_argument("--sandbox", default="auto", metavar="KIND", help="auto, bwrap or none")
    grade.add_argument(
        "--answers",
        action="store_true",
        help="also write FOLDER/answers: a page per written question, and marks.csv to fill in",
    )
    grade.add_argument(
        "--config", type=Path, metavar="FILE.toml", help="default: grading.toml of the workbook, if any"
    )
    grade.add_argument(
        "--manual", type=Path, metavar="FILE.csv", help="student,lab,question,points; overrides the file"
    )
    grade.add_argument(
        "--late",
        action="append",
        default=[],
        metavar="RULE",
        help="'02=2026-12-01T23:59 10/day max 50'; overrides all rules of the file",
    )
    grade.add_argument(
        "--columns", type=Path, metavar="FILE.csv", help="column,value of lms.csv; overrides the file"
    )


def _grade(arguments: argparse.Namespace) -> int:
    """Grade a class and report what to look at; 1 if something failed."""
    from labkit.course.grading.class_run import Options, grade_class
    from labkit.course.grading.sandbox.box import UNPROTECTED
    from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap

    config = _config(arguments)
    local_auto = arguments.sandbox == "auto" and arguments.scheduler is None
    problem = why_no_bubblewrap() if local_auto else None
    warned = arguments.sandbox == "none" or problem is not None
    if problem is not None:
        print(f"labkit: bubblewrap does not work here: {problem}", file=sys.stderr)
    if warned:
        print(f"labkit: NOT PROTECTED: {UNPROTECTED}", file=sys.stderr)
    options = Options(
        arguments.out,
        arguments.jobs,
        arguments.scheduler,
        arguments.sandbox,
        tuple(arguments.student),
        answers=arguments.answers,
        notebooks=arguments.notebooks,
    )
    report = grade_class(arguments.submissions, find_labs(arguments.lab), options, config)
    if report.ignored:
        print(f"labkit: not taken for students: {', '.join(report.ignored)}", file=sys.stderr)
    to_look_at = sum(bool(result.attention) for result in report.results)
    files = ", ".join(map(str, report.tables))
    print(f"{len(report.results)} results, {to_look_at} to look at: {report.page}, {files}")
    if report.answers is not None:
        print(f"written answers by question: {report.answers.parent}; fill in {report.answers}")
    if arguments.notebooks:
        print(f"what was graded, not for students: {arguments.out / 'notebooks'}")
    if not warned and any(result.sandbox == "none" for result in report.results):  # on a cluster's machine
        print(f"labkit: NOT PROTECTED: {UNPROTECTED}", file=sys.stderr)
    if report.failed:
        print(
            f"labkit: {len(report.failed)} not graded; read their reasons and grade again", file=sys.stderr
        )
    if report.incomplete_pages:
        print(
            f"labkit: {report.incomplete_pages} feedback pages show only the marks; see the class page",
            file=sys.stderr,
        )
    return 1 if report.failed or report.incomplete_pages else 0


def _config(arguments: argparse.Namespace) -> GradingConfig:
    """The configuration of the file, with what the command line overrides."""
    from labkit.course.grading.config import FILE_NAME, GradingConfig, read_columns, read_config
    from labkit.course.grading.late_penalty import parse_late_rule

    path = arguments.config or settings.home() / FILE_NAME
    config = read_config(path) if arguments.config or path.is_file() else GradingConfig()
    if arguments.late:
        config = replace(config, late_rules=tuple(map(parse_late_rule, arguments.late)))
    if arguments.manual is not None:
        config = replace(config, marks=arguments.manual)
    if arguments.columns is not None:
        config = replace(config, columns=read_columns(arguments.columns))
    return config
