"""Downloads, from a server in this process."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from oddlens.files import downloads
from oddlens.files.downloads import CannotDownload, download, has_checksum

CONTENT = b"a frame of a lens"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path):
    """Where the files of a folder are served."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served/data.fits").write_bytes(CONTENT)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=tmp_path / "served")) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: None)


def test_a_file_arrives_with_its_folders(tmp_path, address):
    path = tmp_path / "new/folder/data.fits"
    assert not has_checksum(path, SHA256)
    download(f"{address}/data.fits", path, SHA256)
    assert path.read_bytes() == CONTENT
    assert has_checksum(path, SHA256)


def test_another_file_is_refused_and_nothing_is_written(tmp_path, address):
    path = tmp_path / "data.fits"
    path.write_bytes(b"before")
    with pytest.raises(CannotDownload, match=SHA256):
        download(f"{address}/data.fits", path, "0" * 64)
    assert path.read_bytes() == b"before"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["data.fits"]


def test_without_a_network_the_error_is_one_line_with_the_address(tmp_path):
    url = "http://127.0.0.1:9/data.fits"
    with pytest.raises(CannotDownload) as error:
        download(url, tmp_path / "data.fits", SHA256)
    assert url in str(error.value)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "data.fits").exists()


def test_an_address_without_a_file_is_reported(tmp_path, address):
    with pytest.raises(CannotDownload, match="not found"):
        download(f"{address}/lost.fits", tmp_path / "lost.fits", SHA256)


def test_a_server_that_fails_once_is_asked_again(tmp_path, address, monkeypatch):
    answers = iter([ConnectionResetError("reset")])
    real = downloads.urllib.request.urlopen

    def sometimes(url, timeout):
        for error in answers:
            raise error
        return real(url, timeout=timeout)

    monkeypatch.setattr(downloads.urllib.request, "urlopen", sometimes)
    download(f"{address}/data.fits", tmp_path / "data.fits", SHA256)
    assert (tmp_path / "data.fits").read_bytes() == CONTENT
