"""The environments: their files are generated from the lock, and hold what their rules import.

Whether they can be made and work is tested in test_conda.py.
"""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest
import rattler
import yaml
from packaging.requirements import Requirement

import envs
from conftest import ROOT

ENVIRONMENTS = sorted(path.stem for path in (ROOT / "envs").glob("*.yaml"))
LOCK = (ROOT / "requirements.lock").read_text()
LOCKED = set(re.findall(r"^([\w.-]+)==([\w.+]+)", LOCK, re.MULTILINE))
PYTHON = (ROOT / ".python-version").read_text().strip()
RULE_FILES = [ROOT / "workflow" / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
TEXT = "\n".join(file.read_text() for file in RULE_FILES)
RULES = dict(block.split(":", 1) for block in re.split(r"^rule ", TEXT, flags=re.MULTILINE)[1:])
"""The text of each rule."""
WITHOUT_JOB = {"all"}


def described(environment):
    return yaml.safe_load((ROOT / f"envs/{environment}.yaml").read_text())


def requirements(environment):
    """What pip is to install."""
    return [Requirement(line) for line in described(environment)["dependencies"][-1]["pip"]]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_file_is_what_make_envs_writes(environment):
    assert (ROOT / f"envs/{environment}.yaml").read_text() == envs.conda_file(environment), "run `make envs`"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_conda_installs_python_and_pip_and_pip_the_rest_in_the_versions_of_the_lock(environment):
    file = described(environment)
    assert file["channels"] == ["conda-forge", "nodefaults"]
    python, pip, rest = file["dependencies"]
    assert str(rattler.MatchSpec(python, strict=True).version) == f"{PYTHON}.*"
    assert re.fullmatch(r"pip==[\d.]+", pip)
    assert set(rest) == {"pip"}
    for requirement in requirements(environment):
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        assert (requirement.name, specifier.version) in LOCKED


def test_dependencies_of_packages_come_along(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "a==1 \\\n    --hash=sha256:1 \\\n    --hash=sha256:2\n    # via project (pyproject.toml)\n"
        "b==2 ; sys_platform == 'linux' \\\n    --hash=sha256:3\n    # via a\n"
        "c==3 ; sys_platform == 'linux' \\\n    --hash=sha256:3\n    # via\n    #   b\n    #   d\n"
        "c==4 ; sys_platform != 'linux' \\\n    --hash=sha256:3\n    # via\n    #   b\n    #   d\n"
        "d==5 \\\n    --hash=sha256:3\n    # via project (pyproject.toml)\n"
    )
    found = [str(entry) for entry in envs.with_dependencies(["a"], envs.read_lock(lock))]
    linux, other = "sys_platform == 'linux'", "sys_platform != 'linux'"
    assert found == ["a==1", f"b==2 ; {linux}", f"c==3 ; {linux}", f"c==4 ; {other}"]


def test_every_entry_of_the_lock_is_read():
    assert {(entry.name, entry.version) for entry in envs.read_lock(ROOT / "requirements.lock")} == LOCKED


def test_the_lock_has_all_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for requirement in map(Requirement, project["project"]["dependencies"] + project["dependency-groups"]["dev"]):
        versions = [version for name, version in LOCKED if name == requirement.name.lower()]
        assert any(version in requirement.specifier for version in versions), f"{requirement}: run `make lock`"


def test_the_lock_has_hashes_and_no_addresses():
    assert "://" not in LOCK
    assert LOCK.count("--hash=sha256:") >= len(LOCKED)


def test_every_rule_names_an_environment_that_exists_and_every_environment_is_used():
    used = {rule: re.findall(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', text) for rule, text in RULES.items()}
    assert {rule for rule, environments in used.items() if len(environments) != 1} == WITHOUT_JOB
    assert {environment for environments in used.values() for environment in environments} == set(ENVIRONMENTS)


WITHOUT = """
import importlib, sys
from importlib.machinery import PathFinder

class Present(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in absent else PathFinder.find_spec(name, path, target)

absent = set(sys.argv[1].split(","))
sys.meta_path[sys.meta_path.index(PathFinder)] = Present
for name in sys.argv[2:]:
    importlib.import_module(name)
"""
"""Imports modules as if some packages were not installed."""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_stages_can_be_imported_with_the_packages_of_their_environment_alone(environment):
    """Independent of `envs.py`, which reads the source and imports nothing."""
    installed = {requirement.name for requirement in requirements(environment)} | {"oddlens"}
    names = {
        root: {re.sub(r"[-_.]+", "-", distribution).lower() for distribution in distributions}
        for root, distributions in packages_distributions().items()
    }
    absent = ",".join(root for root, distributions in names.items() if not distributions & installed)
    stages = [f"oddlens.stages.{script.stem}" for script in envs.scripts(environment)]
    command = [sys.executable, "-c", WITHOUT, absent, *stages, *envs.IMPORTED_BY_NAME[environment]]
    run = subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=False)
    assert run.returncode == 0, f"run `make envs`: {run.stderr[-1000:]}"
