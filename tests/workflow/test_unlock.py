import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.fixture
def locked(tmp_path):
    (tmp_path / ".snakemake" / "locks").mkdir(parents=True)
    (tmp_path / ".snakemake" / "locks" / "0.input.lock").write_text("x")
    return tmp_path


def unlock(folder):
    subprocess.run([sys.executable, ROOT / "workflow" / "unlock.py"], cwd=folder, check=True, capture_output=True)
    return not (folder / ".snakemake" / "locks").exists()


def test_the_lock_of_a_dead_run_is_removed(locked):
    assert unlock(locked)


def test_the_lock_of_a_living_run_stays(locked):
    (locked / "snakemake").write_text("import time; print('up', flush=True); time.sleep(60)")
    with subprocess.Popen([sys.executable, "snakemake"], cwd=locked, stdout=subprocess.PIPE) as run:
        run.stdout.readline()
        try:
            assert not unlock(locked)
        finally:
            run.kill()
