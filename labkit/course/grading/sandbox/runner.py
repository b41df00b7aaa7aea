"""The program inside the sandbox: runs cells in forked copies of a process that ran the setup.

It reads requests from its standard input and writes replies to its standard output, one JSON object
per line. A request holds the cells of one exercise. They run in their own child process, so whatever
they change, break or kill is gone afterwards. This process holds no secrets, and its replies are not
trusted: only the grader outside knows the expected outputs, and it alone decides about points.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import contextlib
import ctypes
import inspect
import io
import json
import linecache
import os
import resource
import select
import signal
import sys
import time
import types
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, TextIO

import psutil

from labkit.course.grading.sandbox.messages import ExerciseRequest, Reply
from labkit.course.grading.sandbox.settings import Settings, current_settings
from labkit.error_names import NO_INPUT

__all__ = ["main"]

MAX_MESSAGE = 4000  # characters of an error's text
MAX_REPLY_BYTES = 4_000_000
MAX_DESCRIPTORS = 512
SET_DUMPABLE, SET_CHILD_SUBREAPER = 4, 36  # of Linux's prctl
PYTHON_MAGICS = ("time", "timeit", "capture", "prun")
TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class OutputLimit(BaseException):
    """A cell printed more than allowed; it is not an Exception, so student code does not catch it."""


class _CapturedOutput(io.TextIOBase):
    """A text stream in memory of at most ``limit`` characters."""

    def __init__(self, limit: int) -> None:
        self.limit, self.parts, self.size = limit, list[str](), 0

    def write(self, text: str) -> int:
        """Keep ``text``; raise :class:`OutputLimit` beyond the limit."""
        self.size += len(text)
        if self.size > self.limit:
            raise OutputLimit
        self.parts.append(text)
        return len(text)

    def text(self) -> str:
        """Return everything written so far."""
        return "".join(self.parts)


def main() -> None:
    """Answer requests until the input ends. The first is ``{"setup": [[id, source], …]}``."""
    requests, replies = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    _conceal_from_children(True)
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    builtins.input = _no_input
    module = types.ModuleType("__main__")
    sys.modules["__main__"] = module
    namespace = module.__dict__
    namespace.update(display=_display, get_ipython=lambda: _Shell(namespace))
    setup = json.loads(requests.readline())["setup"]
    errors = (reply.get("error") for reply in _run_all(setup, namespace, MAX_REPLY_BYTES))
    error = next(filter(None, errors), None)
    _send(replies, {"ready": error is None, "error": error})
    for line in requests:
        _send(replies, _fork(json.loads(line), namespace, [requests, replies]))


def _conceal_from_children(concealed: bool) -> None:
    """Close this process's memory and descriptors, or open them again, to others of the same user.

    The children are the same user's, so ``/proc`` would show them the requests and replies of this
    process. Only the children of root, without bubblewrap, see them nevertheless.
    """
    ctypes.CDLL(None).prctl(SET_DUMPABLE, 0 if concealed else 1, 0, 0, 0)


def _end_children() -> None:
    """Kill and collect everything that an exercise left running; orphans have come to this process."""
    while family := psutil.Process().children(recursive=True):
        for process in family:
            with contextlib.suppress(psutil.Error):
                process.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _send(stream: TextIO, reply: Mapping[str, object]) -> None:
    stream.write(json.dumps(reply) + "\n")
    stream.flush()


def _fork(request: ExerciseRequest, namespace: dict[str, Any], private: list[TextIO]) -> Reply:
    """Run a request's cells in a child; return its reports, and how it ended if it did not finish."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _child(request, namespace, writing, private)
    os.close(writing)
    try:
        lines, late = _listen(reading, request)
    finally:
        os.close(reading)
        for kill, target in ((os.killpg, child), (os.kill, child)):
            with contextlib.suppress(OSError):  # it is gone
                kill(target, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_children()
    cells = [line for line in lines if "error" in line]
    begun = [line["begin"] for line in lines if "begin" in line]
    ended: dict[str, Any] | None = None
    if not (lines and lines[-1].get("done")):
        killed = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        why = "late" if late or killed == signal.SIGXCPU else "died"
        ended = {"why": why, "cell": begun[-1] if begun else None}
    return {"cells": cells, "ended": ended}


def _child(
    request: ExerciseRequest, namespace: dict[str, Any], pipe: int, private: list[TextIO]
) -> NoReturn:
    """Run in the child: close the parent's streams, set limits, run the cells, report."""
    os.setsid()
    for stream in private:
        os.close(stream.fileno())
    _conceal_from_children(False)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    limits = request["limits"]
    seconds = int(limits["cpu_s"])
    for kind, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, limits["memory_bytes"]),
        (resource.RLIMIT_FSIZE, limits["file_bytes"]),
        (resource.RLIMIT_NOFILE, MAX_DESCRIPTORS),
    ):
        with contextlib.suppress(ValueError, OSError):  # the system's own limit is lower
            resource.setrlimit(kind, (value, value + (kind == resource.RLIMIT_CPU)))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # subtle: so a file that grows too large raises OSError
    with os.fdopen(pipe, "w", encoding="utf-8") as report:
        for reply in _run_all(request["cells"], namespace, limits["output_chars"], request.get("last", "")):
            _send(report, reply)
        _send(report, {"done": True})
    os._exit(0)


def _listen(pipe: int, request: ExerciseRequest) -> tuple[list[dict[str, Any]], bool]:
    """Collect the lines that a child reports until it ends or a cell exceeds its time."""
    content, limit = b"", request["limits"]["wall_s"]
    heard, end = 0, time.monotonic() + limit
    while time.monotonic() < end and len(content) < MAX_REPLY_BYTES:
        if not select.select([pipe], [], [], max(0.0, min(1.0, end - time.monotonic())))[0]:
            continue
        piece = os.read(pipe, 65536)
        content += piece
        if not piece or content.endswith(b'{"done": true}\n'):
            return _parsed(content), False
        if content.count(b"\n") > heard:  # the next cell has begun
            heard, end = content.count(b"\n"), time.monotonic() + limit
    return _parsed(content), True


def _parsed(content: bytes) -> list[dict[str, Any]]:
    """The complete lines that are JSON objects; a child can write anything."""
    replies = []
    for line in content.split(b"\n")[:200]:
        try:
            reply = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(reply, dict):
            replies.append(reply)
    return replies


def _run_all(
    cells: list[list[str]], namespace: dict[str, Any], limit: int, last: str = ""
) -> Iterator[dict[str, Any]]:
    """Run cells one after the other, also after one that fails.

    Yields:
        Before each cell ``{"begin": id}``, and after it ``{"cell": id, "error": …, "text": …, "own": …}``:
        everything that was printed, for the final cell only, and what the cell itself printed. The
        cell ``last`` runs in a copy of the namespace, so its own prints can be told apart from those
        of the functions that it calls. Settings are as they were before the first cell; only the answer
        itself, the cell before the last, may choose how torch computes.
    """
    settings = current_settings()
    for index, (name, source) in enumerate(cells):
        yield {"begin": name}
        printed, by_cell = _CapturedOutput(limit), _CapturedOutput(limit)
        sys.stdout, sys.stderr = printed, _CapturedOutput(limit)
        error = None
        try:
            if name == last:
                settings.restore_reporting()
                namespace = {**namespace, "print": _own_print(by_cell, settings)}
            value = _execute(source, namespace, f"<cell {name}>")
            if value is not None:
                settings.restore_printing()
                namespace.get("print", print)(_shown(value))
        except BaseException as problem:
            error = _described(problem)
        if last and index < len(cells) - 2:
            settings.restore()
        shown = printed.text() if name == cells[-1][0] else ""
        yield {"cell": name, "error": error, "text": shown, "own": by_cell.text()}


def _own_print(by_cell: _CapturedOutput, settings: Settings) -> Any:
    """A ``print`` that also keeps what it prints in ``by_cell``, with the print options of ``settings``."""
    original = builtins.print

    def tee(*values: Any, **options: Any) -> None:
        settings.restore_printing()
        original(*values, **options)
        if options.get("file") is None:
            original(*values, **{**options, "file": by_cell})

    return tee


def _execute(source: str, namespace: dict[str, Any], name: str) -> Any:
    """Run a cell's source; return the value of its last expression, as a notebook does."""
    source = _as_python(source)
    tree = ast.parse(source, name)
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    final = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    _evaluate(compile(tree, name, "exec", TOP_LEVEL_AWAIT), namespace)
    if not isinstance(final, ast.Expr):
        return None
    return _evaluate(compile(ast.Expression(final.value), name, "eval", TOP_LEVEL_AWAIT), namespace)


def _as_python(source: str) -> str:
    """The source with magics, shell commands and ``name?`` as calls of ``get_ipython()``."""
    try:
        ast.parse(source)
    except SyntaxError:
        from IPython.core.inputtransformer2 import TransformerManager

        return str(TransformerManager().transform_cell(source))
    return source


def _evaluate(code: types.CodeType, namespace: dict[str, Any]) -> Any:
    """Evaluate a cell's code; one with ``await`` outside a function runs in its own event loop."""
    value = eval(code, namespace)
    return asyncio.run(value) if code.co_flags & inspect.CO_COROUTINE else value


class _Shell:
    """What ``get_ipython()`` returns: magics that time Python run it; all others, and shell commands, do nothing."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.namespace = namespace

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def run_line_magic(self, name: str, line: str, **_: Any) -> None:
        """Run the rest of the line of ``%time`` and its like."""
        self.run_cell_magic(name, "", line)

    def run_cell_magic(self, name: str, line: str, cell: str) -> None:  # noqa: ARG002
        """Run the cell of ``%%time`` and its like."""
        if name in PYTHON_MAGICS:
            _execute(cell, self.namespace, "<magic>")

    def getoutput(self, *_: Any, **__: Any) -> list[str]:
        """Return no lines, as a shell command that prints nothing does."""
        return []


def _display(*values: Any, **_: Any) -> None:
    """Print the text that a notebook records for each value."""
    for value in values:
        sys.stdout.write(f"{_shown(value)}\n")


def _no_input(*_: Any) -> NoReturn:
    """Stand in for ``input``."""
    raise RuntimeError(NO_INPUT)


def _shown(value: Any) -> str:
    """The text that a notebook records for a value."""
    from IPython.lib.pretty import pretty

    return str(pretty(value))


def _described(problem: BaseException) -> dict[str, str]:
    """Describe an error; even its ``str`` may raise."""
    try:
        text = str(problem)[:MAX_MESSAGE]
    except BaseException:
        text = ""
    built_in = (base for base in type(problem).__mro__ if base.__module__ == "builtins")
    # subtle: Python 3.13 raises _IncompleteInputError where earlier versions raise SyntaxError.
    kind = next((base for base in built_in if not base.__name__.startswith("_")), BaseException)
    is_labkits = isinstance(problem, OutputLimit) or type(problem).__name__ == "CheckFailed"
    return {"kind": type(problem).__name__ if is_labkits else kind.__name__, "text": text}


if __name__ == "__main__":
    main()
