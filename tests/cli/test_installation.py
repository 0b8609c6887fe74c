"""The package as it is installed."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

from conftest import ROOT

SOURCES = (ROOT / "src" / "oddlens").rglob("*.py")
PACKAGED = re.compile(r'packaged\("([^"]+)", "([^"]+)"\)')


def test_setup_installs_the_command():
    command = Path(sys.executable).with_name("oddlens")
    assert (
        subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout.split()[0]
        == "oddlens"
    )


def test_a_wheel_holds_all_folders_that_are_read_outside_of_the_source_code(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    folders = dict(pair for source in SOURCES for pair in PACKAGED.findall(source.read_text()))
    assert "pretrained" in folders
    for folder, installed in folders.items():
        files = [path.relative_to(ROOT / folder) for path in (ROOT / folder).rglob("*") if path.is_file()]
        assert files
        assert {f"oddlens/{installed}/{file.as_posix()}" for file in files} <= names
