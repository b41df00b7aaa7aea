"""Downloads from a server on this machine, which may break off and may be able to continue."""

import hashlib
import http.server
import threading

import pytest

from labkit.data import download as download_module
from labkit.data.download import DownloadError, download

CONTENT = bytes(range(256)) * 2_000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; remembers where each request began."""

    ranges = True  # whether it can send the rest of a file alone
    break_after = len(CONTENT)  # bytes of a reply
    content = CONTENT

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.starts = []
        self.url = f"http://127.0.0.1:{self.server_port}/file"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range") if self.server.ranges else None
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        self.server.starts.append(start)
        if start >= len(self.server.content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(self.server.content) - start))
        self.end_headers()
        self.wfile.write(self.server.content[start:][: self.server.break_after])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def broken_off(server, tmp_path):
    """A download whose connection is lost after 100,000 bytes."""
    server.break_after = 100_000
    with pytest.raises(DownloadError, match=r"lost after 100,000 bytes.*the next try continues there"):
        download(server.url, tmp_path / "file", MD5)
    server.break_after = len(CONTENT)
    assert not (tmp_path / "file").exists()
    return tmp_path / "file"


def test_a_file_is_downloaded_once_with_progress(server, tmp_path, capsys):
    for _ in range(2):
        download(server.url, tmp_path / "new" / "file", MD5)
    assert (tmp_path / "new" / "file").read_bytes() == CONTENT
    assert server.starts == [0]
    assert "100%" in capsys.readouterr().err


def test_an_interrupted_download_continues_where_it_stopped(server, broken_off):
    download(server.url, broken_off, MD5)
    assert broken_off.read_bytes() == CONTENT
    assert server.starts == [0, 100_000]
    assert [path.name for path in broken_off.parent.iterdir()] == ["file"]


def test_of_a_server_that_cannot_continue_the_whole_file_is_taken(server, broken_off):
    server.ranges = False
    download(server.url, broken_off, MD5)
    assert broken_off.read_bytes() == CONTENT


def test_a_download_that_was_complete_but_not_renamed_is_used(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT)
    download(server.url, tmp_path / "file", MD5)
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_of_another_file_is_refused_and_the_next_try_begins_again(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1_000)
    with pytest.raises(DownloadError, match=f"corrupted: its MD5 sum is .*, expected {MD5}"):
        download(server.url, tmp_path / "file", MD5)
    download(server.url, tmp_path / "file", MD5)
    assert server.starts == [1_000, 0]


def test_a_server_that_refuses_is_named_with_its_answer(server, tmp_path):
    server.content = b""
    with pytest.raises(DownloadError, match=r"file answers 416"):
        download(server.url, tmp_path / "file", MD5)


def test_a_server_that_stops_answering_is_not_waited_for_forever(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download_module, "TIMEOUT_S", 0.2)
    release = threading.Event()
    monkeypatch.setattr(Handler, "do_GET", lambda _: release.wait(10))
    with pytest.raises(DownloadError, match=r"TimeoutError|timed out"):
        download(server.url, tmp_path / "file", MD5)
    release.set()
