"""Every damaged or hostile submission gets its row, its points and a reason; nothing else is harmed."""

from __future__ import annotations

import socket
import threading

import hostile
import nbformat
import psutil
import pytest

from labkit.course.grading.class_run import Options, run_jobs
from labkit.course.grading.sandbox.bubblewrap import why_no_bubblewrap
from labkit.course.grading.sandbox.limits import Limits

pytestmark = pytest.mark.heavy

LIMITS = Limits(cpu_s=3, wall_s=12, memory_bytes=1_500_000_000, file_bytes=1_000_000, processes=20)
CLOSED = pytest.mark.skipif(
    why_no_bubblewrap() is not None, reason=f"needs bubblewrap: {why_no_bubblewrap()}"
)
# What only a closed box holds back; the others must fare the same without one.
NEEDS_BOX = {"writes-outside", "reads-a-secret", "uses-the-network"}
SECRET = "the recorded values of the hidden checks"


@pytest.fixture(scope="module", params=[pytest.param("bwrap", marks=CLOSED), "none"])
def graded(request, tmp_path_factory):
    """The corpus, graded: sandbox, cases, results by student, the grader's folder, connections."""
    root = tmp_path_factory.mktemp(request.param)
    outside, submissions = root / "labs", root / "submissions"
    outside.mkdir()
    submissions.mkdir()
    (outside / "secret.txt").write_text(SECRET)
    lab = hostile.small_class_lab()
    nbformat.write(lab, outside / hostile.NAME)
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_accept, args=(server, connections), daemon=True).start()
        corpus = hostile.cases(lab, outside, server.getsockname()[1])
        if request.param == "none":
            corpus = {name: case for name, case in corpus.items() if name not in NEEDS_BOX}
        for name, case in corpus.items():
            case.write(submissions / name)
        before = _files(root)
        options = Options(root / "out", processes=2, sandbox=request.param, limits=LIMITS)
        results = run_jobs(submissions, [outside / hostile.NAME], options)
    after = {
        path: facts for path, facts in _files(root).items() if "out" not in path.relative_to(root).parts
    }
    assert after == before, "a file of the grader was changed"
    return request.param, corpus, {result.student: result for result in results}, connections


def _accept(server, connections):
    while True:
        try:
            connections.append(server.accept())
        except OSError:
            return


def _files(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_the_corpus_is_large_enough_and_every_submission_has_a_result(graded):
    _, corpus, results, _ = graded
    assert set(results) == set(corpus)
    assert len(corpus) >= 50


def test_every_submission_earns_what_it_should(graded):
    _, corpus, results, _ = graded
    earned = {
        name: {mark.question: mark.earned for mark in result.marks if mark.question != "99.4"}
        for name, result in results.items()
    }
    wrong = {name: (earned[name], results[name]) for name in corpus if earned[name] != corpus[name].earned}
    assert wrong == {}


def test_every_reason_says_what_happened(graded):
    _, corpus, results, _ = graded
    silent = {}
    for name, case in corpus.items():
        marks = results[name].marks
        texts = " ".join([*results[name].warnings, *(mark.reason for mark in marks)])
        reasons = all(mark.reason for mark in marks if mark.earned < mark.max and mark.question != "99.4")
        if case.words not in texts or not reasons:
            silent[name] = (case.words, texts)
    assert silent == {}


def test_no_submission_failed_the_grader(graded):
    _, _, results, _ = graded
    assert [name for name, result in results.items() if result.failure is not None] == []


def test_no_reason_holds_a_secret_or_hidden_code(graded):
    _, _, results, _ = graded
    reasons = " ".join(mark.reason for result in results.values() for mark in result.marks)
    for secret in (SECRET, "0.125", "0.25", "mean([0.5", "triple(k)"):
        assert secret not in reasons


@pytest.mark.usefixtures("graded")
def test_nothing_of_a_submission_is_left_running():
    left = []
    for process in psutil.process_iter():
        try:
            if "labkit.course.grading.sandbox.runner" in " ".join(process.cmdline()):
                left.append(process)
        except psutil.Error:
            continue
    # Boxes of tests that run at the same time end within seconds; what the corpus leaves would sleep on.
    _, alive = psutil.wait_procs(left, timeout=30)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []


@CLOSED
def test_the_closed_box_has_no_network(graded):
    sandbox, _, _, connections = graded
    if sandbox == "bwrap":
        assert connections == []
