import json
import socket
import time

import pytest

from labkit.course import doctor
from labkit.files import digest

pytestmark = pytest.mark.heavy


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path


def _states(probe):
    return [finding.state for finding in probe()]


def test_versions_are_compared_with_the_constraints(home, monkeypatch):
    monkeypatch.setattr(doctor, "_installed", {"numpy": "2.0", "torch": "2.6+cpu"}.get)
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "torch"))
    (home / "constraints.txt").write_text("# pins\nnumpy==2.0\ntorch==2.6\nabsent==1.0\n")
    assert _states(doctor._versions) == ["ok", "ok"]
    (home / "constraints.txt").write_text("numpy==2.1\n")
    other = list(doctor._versions())[1]
    assert other.state == "warn"
    assert "numpy 2.0 (recorded with 2.1)" in other.what
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "scipy"))
    missing = list(doctor._versions())[1]
    assert missing.state == "fail"
    assert "scipy" in missing.what


def test_checkpoints_are_checked_against_their_manifest(home):
    assert _states(doctor._checkpoints) == ["warn"]
    folder = home / "checkpoints" / "d"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(json.dumps({"a": {"sha256": digest(b"1")}}))
    assert _states(doctor._checkpoints) == ["fail"]
    (folder / "a.safetensors").write_bytes(b"1")
    assert _states(doctor._checkpoints) == ["ok"]
    (folder / "a.safetensors").write_bytes(b"2")
    assert "a.safetensors" in next(doctor._checkpoints()).what
    (folder / "manifest.json").write_text("{")
    assert _states(doctor._checkpoints) == ["fail"]
    (folder / "manifest.json").write_text(json.dumps({"b": {"sha256": digest(b"1"), "shipped": False}}))
    assert _states(doctor._checkpoints) == ["ok"]


@pytest.mark.parametrize(("amount_bytes", "state"), [(10**7, "fail"), (10**9, "warn"), (10**10, "ok")])
def test_an_amount_is_judged(amount_bytes, state):
    finding = doctor._amount("free disk space", amount_bytes, 10**8, 10**9 + 1, "free some")
    assert finding.state == state
    assert bool(finding.remedy) == (state != "ok")


def test_energy_domains_that_cannot_be_read_are_explained(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "POWERCAP", tmp_path / "none")
    assert "does not exist" in next(doctor._energy()).what
    monkeypatch.setattr(doctor, "POWERCAP", tmp_path)
    assert "has no energy domains" in next(doctor._energy()).what
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "energy_uj").write_text("1")
    assert _states(doctor._energy) == ["ok"]
    monkeypatch.setattr(doctor.os, "access", lambda *_: False)
    assert "only root" in next(doctor._energy()).what


def test_being_offline_is_fine_and_takes_at_most_the_limit(monkeypatch):
    def refuse(*_, **__):
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    finding = next(doctor._network())
    assert (finding.state, "Network is unreachable" in finding.what) == ("ok", True)
    monkeypatch.setattr(doctor, "NETWORK_SECONDS", 0.1)

    def refuse_late(*_, **__):
        time.sleep(1)
        raise OSError("timed out")

    monkeypatch.setattr(socket, "create_connection", refuse_late)
    finding = next(doctor._network())
    assert (finding.state, "no answer" in finding.what) == ("ok", True)


def test_a_probe_that_fails_is_a_warning_and_the_next_one_runs(monkeypatch):
    def _broken():
        raise KeyError("odd")
        yield

    def _fine():
        yield doctor.Finding("ok", "fine")

    monkeypatch.setattr(doctor, "PROBES", (_broken, _fine))
    findings = list(doctor.examine())
    assert [finding.state for finding in findings] == ["warn", "ok"]
    assert "KeyError" in findings[0].what
    assert str(findings[1]) == "ok   fine"


def test_a_kernel_starts_and_computes():
    assert _states(doctor._kernel) == ["ok"]


def test_a_kernel_that_does_not_start_is_a_failure_with_a_remedy(monkeypatch):
    async def refuse(*_, **__):
        raise RuntimeError("Kernel died before replying to kernel_info")

    monkeypatch.setattr("nbclient.NotebookClient.async_start_new_kernel_client", refuse)
    (finding,) = doctor._kernel()
    assert finding.state == "fail"
    assert "did not start" in finding.what
    assert "pip install" in finding.remedy
