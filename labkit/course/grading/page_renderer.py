"""Render feedback pages in a process of its own, which limits what one student's page can cost.

Markdown, formulas and highlighted code are converted by libraries that take very long, need much
memory or crash on some inputs. The process renders one page after the other, and it is replaced when
a page has ended it. The system holds the limits, whatever the libraries do.
"""

from __future__ import annotations

import contextlib
import resource
import signal
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from nbformat import NotebookNode

from labkit.course.grading.feedback_page import answers_page
from labkit.course.grading.results import GradedLab

__all__ = ["PageLimits", "PageRenderer", "RenderError"]

DONE, FAILED = b"+", b"-"  # the first byte of a reply


class RenderError(Exception):
    """A page could not be rendered within its limits; the message says why."""


@dataclass(frozen=True)
class PageLimits:
    """What rendering one page may use, and how large the page may be."""

    cpu_s: float = 10.0  # processor time; most pages take a fifth of a second
    memory_bytes: int = 2_000_000_000
    page_bytes: int = 40_000_000  # twice the largest notebook


class PageRenderer:
    """Renders feedback pages one after the other; leaving the ``with`` block ends its process."""

    def __init__(self, limits: PageLimits | None = None) -> None:
        self.limits = limits or PageLimits()
        self.process: SpawnProcess | None = None
        self.connection: Connection | None = None

    def __enter__(self) -> PageRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def render(self, source: NotebookNode, result: GradedLab) -> bytes:
        """Return the page with the student's cells in UTF-8.

        Raises:
            RenderError: if the page exceeds a limit, or rendering it fails or crashes.
        """
        connection = self._ready()
        try:
            connection.send((source, result))
            reply = connection.recv_bytes()
        except (EOFError, OSError) as error:
            raise RenderError(self._why_it_ended()) from error
        except BaseException:  # a reply that nobody read must not be taken for the next page
            self._stop()
            raise
        if not reply.startswith(DONE):
            raise RenderError(reply.removeprefix(FAILED).decode())
        return reply.removeprefix(DONE)

    def _ready(self) -> Connection:
        """Return the connection to the process, which is started if there is none."""
        if self.connection is None:
            context = get_context("spawn")
            self.connection, other = context.Pipe()
            self.process = context.Process(target=_serve, args=(other, self.limits), daemon=True)
            self.process.start()
            other.close()
        return self.connection

    def _stop(self) -> None:
        """End the process."""
        if self.connection is not None and self.process is not None:
            self.connection.close()
            self.process.kill()
            self.process.join()
        self.connection = self.process = None

    def _why_it_ended(self) -> str:
        """Say why the process ended, and forget it."""
        assert self.process is not None, "a page was being rendered"
        self.process.join(1)
        code = self.process.exitcode or 0
        self._stop()
        if code == -signal.SIGPROF:
            return f"rendering took more than {self.limits.cpu_s:g} s"
        cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        return f"the renderer crashed ({cause}), or had no memory left"


def _serve(connection: Connection, limits: PageLimits) -> None:
    """Answer requests until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the grader is interrupted, and closes its end
    # subtle: code in C is not interrupted by a handler, but by the signal's default action, which is to end.
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(EOFError, OSError):
        while True:
            source, result = connection.recv()
            signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
            reply = _reply(source, result, limits)
            signal.setitimer(signal.ITIMER_PROF, 0)
            connection.send_bytes(reply)


def _reply(source: NotebookNode, result: GradedLab, limits: PageLimits) -> bytes:
    """Return the page, or why there is none."""
    try:
        page = answers_page(source, result).encode("utf-8", "backslashreplace")
    except MemoryError:
        return FAILED + f"rendering needs more than {limits.memory_bytes / 1e9:g} GB of memory".encode()
    except Exception as error:  # the libraries that render raise errors of many types
        return FAILED + f"{type(error).__name__}: {str(error)[:200]}".encode("utf-8", "backslashreplace")
    if len(page) > limits.page_bytes:
        return FAILED + f"the page would have more than {limits.page_bytes / 1e6:g} MB".encode()
    return DONE + page
