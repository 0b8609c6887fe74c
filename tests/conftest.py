import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

os.environ.setdefault("JAX_PLATFORMS", "cpu")

ROOT = Path(__file__).parents[1]
LONG = [
    "test_workflow.py",
    "test_detectors.py",
    "test_conda.py",
    "test_lensfit.py",
    "test_report.py",
    "test_imports.py",
    "test_explore_browser.py",
]
"""Files that take minutes; first, so that no core waits for one of them at the end."""
SLOW = {line for line in (ROOT / "tests" / "slow.txt").read_text().splitlines() if not line.startswith("#")}


def pytest_collection_modifyitems(items):
    """The long files first, each as a whole; tests in slow.txt are marked as slow."""
    for item in items:
        if SLOW & {item.nodeid, item.nodeid.partition("[")[0], item.nodeid.partition("::")[0]}:
            item.add_marker("slow")
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session", autouse=True)
def _one_thread():
    """Tests run side by side; equal thread counts also keep sums equal."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture
def config():
    """The default config as plain data, fresh for each test."""
    import yaml

    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


@pytest.fixture
def disk(tmp_path):
    """A disk of 300 kB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("no disk may be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.fixture
def read_only_disk(disk):
    """The same, which nothing may be written to any more."""
    (disk / "old.csv").write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    return disk


@pytest.fixture
def forbidden():
    """A folder in which this process may not write; root becomes nobody for a while."""
    with TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        user = os.geteuid()
        os.seteuid(user or 65534)
        yield Path(folder)
        os.seteuid(user)


@dataclass(frozen=True)
class Finished:
    """A command that has ended."""

    status: int
    out: str
    err: str


@pytest.fixture
def oddlens_command(capsys):
    """Run the command `oddlens` in this process: arguments to its status, output and errors."""
    from oddlens.cli.main import main

    def run(*arguments):
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        return Finished(end.value.code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def tiny_study(tmp_path_factory):
    """The folder of a study of three rows."""
    from tiny_models import write_study

    return write_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def published_folder(tiny_study, tmp_path_factory):
    """A folder with two published models, toy/dcae and toy/flux."""
    from tiny_models import publish_row

    folder = tmp_path_factory.mktemp("pretrained")
    for row in ("dcae", "flux"):
        publish_row(tiny_study, folder, row)
    return folder


@pytest.fixture
def published_command(published_folder, monkeypatch, oddlens_command):
    """The command `oddlens` on the models toy/dcae and toy/flux."""
    from oddlens.pretrained import published_models

    for function in (published_models.names, published_models.path_of, published_models.load, published_models.verify):
        monkeypatch.setattr(function, "__defaults__", (published_folder,))
    return oddlens_command
