"""The detector and the class of dark matter of docs/adding.md satisfy their contracts."""

import os
import shutil
import subprocess
import sys

from conftest import ROOT
from project import add_files_of_the_docs, fresh_copy


def test_what_the_docs_add_keeps_the_contracts(tmp_path):
    """In a copy of the project, with the contract tests that the page names."""
    folder = fresh_copy(tmp_path / "project")
    assert [path.name for path in add_files_of_the_docs(folder)] == ["bottleneck.py", "lump.py", "lump.yaml"]
    tests = ["conftest.py", "slow.txt", "support/broken_rings.py"]
    for name in (*tests, "detectors/test_detectors.py", "lensing/test_substructure_contract.py"):
        target = folder / "tests" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / "tests" / name, target)
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
    summary = run.stdout.splitlines()[-1]
    assert int(summary.split(" passed")[0].split()[-1]) > 20, summary
