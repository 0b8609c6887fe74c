"""Real lenses that a run downloads, from a server in this process."""

import hashlib
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from project import fresh_copy, planned, snakemake

pytestmark = pytest.mark.workflow

FILES = {"ring/data.fits": b"a frame", "ring/psf.fits": b"a point-spread function"}
ASKED = []
REAL = ["--configfile", "tests/config.yaml", "real.yaml"]


class Counting(SimpleHTTPRequestHandler):
    """Serves a folder and notes the paths that are asked for."""

    def log_message(self, *_):
        ASKED.append(self.path)


@contextmanager
def served(folder):
    """The address of a server of a folder."""
    ASKED.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Counting, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def public(tmp_path_factory):
    """The public files."""
    folder = tmp_path_factory.mktemp("public")
    for path, content in FILES.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


@pytest.fixture
def project(tmp_path):
    """A copy of the project; `listed(address)` writes the list of public files."""
    folder = fresh_copy(tmp_path / "project")
    (folder / "real.yaml").write_text("real: {public: resources/real-lenses/index.csv}")
    (folder / "config/real-lenses.csv").write_text("name,pixel_scale_arcsec,data\nring,0.05,ring/data.fits\n")
    listed(folder, "http://127.0.0.1:9")
    return folder


def listed(folder, address):
    lines = [f"{hashlib.sha256(content).hexdigest()}  {path}  {address}/{path}" for path, content in FILES.items()]
    (folder / "config/real-lenses.sha256").write_text("\n".join(lines) + "\n")


def brought(folder):
    """The files that were downloaded."""
    place = folder / "resources/real-lenses"
    return {path: (place / path).read_bytes() for path in FILES if (place / path).exists()}


def test_files_are_downloaded_once_and_what_is_damaged_is_downloaded_again(project, public):
    with served(public) as address:
        listed(project, address)
        snakemake(project, "--cores", "1", "--", "retrieve")
        assert brought(project) == FILES
        assert len(ASKED) == 2
        assert (project / "resources/real-lenses/index.csv").read_bytes() == (
            project / "config/real-lenses.csv"
        ).read_bytes()
        (project / "resources/real-lenses/ring/data.fits").write_bytes(b"damaged")
        snakemake(project, "--cores", "1", "--forcerun", "retrieve", "--", "retrieve")
        assert brought(project) == FILES
        assert ASKED[2:] == ["/ring/data.fits"]


def test_a_study_of_public_lenses_depends_on_the_download_and_one_of_other_lenses_does_not(project):
    assert planned(project, *REAL)["retrieve"] == 1
    (project / "ring.fits").touch()
    (project / "real.yaml").write_text("real: {own: ring.fits}")
    jobs = planned(project, *REAL)
    assert jobs["real"] == 2
    assert "retrieve" not in jobs


def test_with_all_files_in_place_nothing_is_downloaded(project):
    for path, content in {**FILES, "index.csv": (project / "config/real-lenses.csv").read_bytes()}.items():
        place = project / "resources/real-lenses" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    assert "retrieve" not in planned(project, *REAL)


def test_without_a_network_the_run_stops_with_one_line_and_keeps_what_is_there(project):
    place = project / "resources/real-lenses/ring/data.fits"
    place.parent.mkdir(parents=True)
    place.write_bytes(FILES["ring/data.fits"])
    output = snakemake(project, "--cores", "1", "--", "retrieve", fails=True)
    assert "http://127.0.0.1:9/ring/psf.fits cannot be downloaded" in output
    assert "Traceback" not in output
    assert brought(project) == {"ring/data.fits": FILES["ring/data.fits"]}
