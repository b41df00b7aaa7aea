"""Subcommands for grading: grade."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from labkit.cli.common import add_subcommand, find_labs

__all__ = ["add_subcommands"]


def add_subcommands(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the subcommands of this module."""
    grade = add_subcommand(
        subcommands, "grade", _grade, "grade a class: tables, feedback pages, a page of the class"
    )
    grade.add_argument("submissions", type=Path, metavar="SUBMISSIONS", help="a folder or zip a student")
    grade.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="results; resumed if there"
    )
    grade.add_argument(
        "--lab", action="append", default=[], metavar="LAB", help="01 or a path; default: all"
    )
    grade.add_argument("--student", action="append", default=[], metavar="NAME", help="only this one")
    grade.add_argument("-j", "--jobs", type=int, default=1, metavar="N", help="processes; default: 1")
    grade.add_argument("--scheduler", metavar="ADDRESS", help="a Dask cluster, such as tcp://host:8786")
    grade.add_argument("--sandbox", default="auto", metavar="KIND", help="auto, bwrap or none")
    grade.add_argument("--manual", type=Path, metavar="FILE.csv", help="student,lab,question,points")
    grade.add_argument(
        "--late", action="append", default=[], metavar="RULE", help="'02=2026-12-01T23:59 10/day max 50'"
    )
    grade.add_argument("--columns", type=Path, metavar="FILE.csv", help="column,value: an LMS's columns")


def _grade(arguments: argparse.Namespace) -> int:
    """Grade, merge, write."""
    from labkit.course.grading import gradebook, late_penalty
    from labkit.course.grading.class_run import Options, grade
    from labkit.course.grading.feedback import write_pages
    from labkit.course.grading.job import students
    from labkit.course.grading.sandbox.box import UNPROTECTED
    from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap

    rules = [late_penalty.late_rule(text) for text in arguments.late]
    local_auto = arguments.sandbox == "auto" and arguments.scheduler is None
    warned = arguments.sandbox == "none" or (local_auto and why_no_bubblewrap() is not None)
    if warned:
        print(f"labkit: NOT PROTECTED: {UNPROTECTED}", file=sys.stderr)
    labs = find_labs(arguments.lab)
    options = Options(
        arguments.out, arguments.jobs, arguments.scheduler, arguments.sandbox, tuple(arguments.student)
    )
    results = grade(arguments.submissions, labs, options)
    if arguments.manual is not None:
        results = gradebook.with_manual(results, arguments.manual)
    times = {
        name: late_penalty.submitted_at(path) for name, path in students(arguments.submissions).items()
    }
    results = late_penalty.with_lateness(results, rules, times)
    written = gradebook.write_tables(arguments.out, results, arguments.columns)
    # The results of an earlier run with another --lab are shown too: they are in the same tables.
    beside = [path for lab in labs for path in sorted(lab.parent.glob("*.ipynb"))]
    page = write_pages(arguments.out, [*dict.fromkeys(beside), *labs], results)
    looked_at = sum(bool(gradebook.flags(result)) for result in results)
    print(f"{len(results)} results, {looked_at} to look at: {page}, {', '.join(map(str, written))}")
    if any(result["sandbox"] == "none" for result in results) and not warned:  # on a cluster's machine
        print(f"labkit: NOT PROTECTED: {UNPROTECTED}", file=sys.stderr)
    failed = [result for result in results if not result["key"]]
    if failed:
        print(f"labkit: {len(failed)} not graded; see their reasons and grade again", file=sys.stderr)
    return 1 if failed else 0
