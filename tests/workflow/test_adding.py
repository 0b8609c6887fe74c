"""The detector and the class of dark matter that docs/adding.md shows keep their contracts."""

import os
import shutil
import subprocess
import sys

from conftest import ROOT
from project import add_what_the_docs_add, fresh_copy


def test_what_the_docs_add_keeps_the_contracts(tmp_path):
    """In a copy of the project, by the commands that the page says."""
    folder = fresh_copy(tmp_path / "project")
    assert [path.name for path in add_what_the_docs_add(folder)] == ["bottleneck.py", "lump.py", "lump.yaml"]
    for name in ("conftest.py", "test_detectors.py", "test_substructure_contract.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    shutil.copy(ROOT / "pyproject.toml", folder)
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", "-k", "bottleneck or lump"],
        cwd=folder,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:]
    told = run.stdout.splitlines()[-1]
    assert int(told.split(" passed")[0].split()[-1]) > 20, told
