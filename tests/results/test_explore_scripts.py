"""The scripts of the page that explores results have types, one style, and no doubtful constructs."""

import json
import shutil
import subprocess

import pytest

from conftest import ROOT

FOLDER = ROOT / "src/oddlens/results/pages/explore"
CHECKS = ROOT / "tests/javascript"


def check(program, *arguments):
    """Run a program of `tests/javascript`."""
    path = CHECKS / "node_modules/.bin" / program
    if not (shutil.which("node") and path.exists()):
        pytest.skip(f"there is no {program}: make javascript, which needs npm")
    run = subprocess.run([path, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_types_are_right():
    check("tsc", "-p", FOLDER)


def test_nothing_is_doubtful_or_too_long():
    check("eslint", "--max-warnings", "0", "--config", CHECKS / "eslint.config.js", FOLDER)


def test_the_style_is_one():
    width = str(json.loads((CHECKS / "package.json").read_text())["prettier"]["printWidth"])
    check("prettier", "--check", "--print-width", width, *sorted(FOLDER.glob("*.js")))


def test_versions_are_exact_and_the_lock_has_no_download_addresses():
    wanted = json.loads((CHECKS / "package.json").read_text())["devDependencies"]
    locked = json.loads((CHECKS / "package-lock.json").read_text())["packages"]
    assert {name: locked[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert not [name for name, entry in locked.items() if "resolved" in entry]
    assert all("integrity" in entry for name, entry in locked.items() if name)
