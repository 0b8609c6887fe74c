"""What files say of the environments: they parse, are pinned, agree with the lock, and hold what their rules import.

That they can be made and work is shown in test_conda.py.
"""

import re
import sys
import tomllib

import pytest
import rattler
import yaml
from packaging.requirements import Requirement

from conftest import ROOT
from oddlens.config import detector_registry
from oddlens.lensing import substructure_classes
from oddlens.provenance.fingerprint import closure, imports

ENVS = sorted((ROOT / "envs").glob("*.yaml"))
LOCKED = dict(re.findall(r"^([\w.-]+)==([\w.+]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
PYTHON = (ROOT / ".python-version").read_text().strip()
LOCKED_NAMES = {"pytorch": "torch"}
"""Packages that conda-forge calls otherwise than the lock does."""
IMPORT_NAMES = {
    "scikit-learn": "sklearn",
    "scikit-posthocs": "scikit_posthocs",
    "pyyaml": "yaml",
    "pytorch": "torch",
    "pillow": "PIL",
    "nautilus-sampler": "nautilus",
}
RULE_FILES = [ROOT / "workflow" / "Snakefile", *sorted((ROOT / "workflow" / "rules").glob("*.smk"))]
TEXT = "\n".join(file.read_text() for file in RULE_FILES)
RULES = dict(block.split(":", 1) for block in re.split(r"^rule ", TEXT, flags=re.MULTILINE)[1:])
"""The text of each rule."""
RUNS_NOTHING = {"all"}
BY_NAME = {
    "simulate": [f"oddlens.lensing.substructure.{name}" for name in substructure_classes.names()],
    "train": [f"oddlens.detectors.{name}" for name in detector_registry.detectors()],
    "analyse": [],
}
"""Modules that are imported by a name of the config."""


def specs(path):
    """What conda is to install."""
    return [entry for entry in yaml.safe_load(path.read_text())["dependencies"] if isinstance(entry, str)]


def requirements(path):
    """What pip is to install."""
    entries = yaml.safe_load(path.read_text())["dependencies"]
    return [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]


def dependencies(path):
    """Names and versions, conda's and pip's."""
    return dict(line.split("==") for line in (*specs(path), *requirements(path)) if not line.startswith("python="))


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_an_environment_has_channels_that_end_in_nodefaults_and_dependencies(path):
    described = yaml.safe_load(path.read_text())
    assert set(described) == {"channels", "dependencies"}
    assert described["channels"][-1] == "nodefaults"
    assert [set(entry) for entry in described["dependencies"] if isinstance(entry, dict)] in ([], [{"pip"}])


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_conda_can_read_every_dependency_and_each_has_one_exact_version(path):
    """But for Python: a bugfix release of it changes no result, and all are of the same minor version."""
    for spec in [rattler.MatchSpec(line, strict=True) for line in specs(path)]:
        exact = f"{PYTHON}.*" if spec.name.normalized == "python" else r"==[\d.]+"
        assert re.fullmatch(exact, str(spec.version)), spec
    for requirement in map(Requirement, requirements(path)):
        assert [specifier.operator for specifier in requirement.specifier] == ["=="], requirement


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_versions_are_those_of_the_lock(path):
    for name, held in dependencies(path).items():
        if name != "pip":
            assert LOCKED[LOCKED_NAMES.get(name, name)] == held, name


def test_all_environments_have_the_same_pip():
    assert len({dependencies(path)["pip"] for path in ENVS}) == 1


def test_the_lock_has_all_that_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for requirement in map(Requirement, project["project"]["dependencies"] + project["dependency-groups"]["dev"]):
        name = requirement.name.lower()
        assert LOCKED[name] in requirement.specifier, f"{requirement}: `make lock` would pin it anew"


def test_every_rule_names_an_environment_that_exists_and_every_environment_is_used():
    used = {rule: re.findall(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', text) for rule, text in RULES.items()}
    assert {rule for rule, envs in used.items() if len(envs) != 1} == RUNS_NOTHING
    assert {env for envs in used.values() for env in envs} == {path.stem for path in ENVS}


def scripts(env):
    """The scripts that run in an environment."""
    texts = [text for text in RULES.values() if f"envs/{env}.yaml" in text]
    return [ROOT / "workflow" / "scripts" / re.search(r"scripts/(\w+\.py)", text)[1] for text in texts]


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_an_environment_holds_all_that_its_scripts_import(path):
    held = {IMPORT_NAMES.get(name, name) for name in dependencies(path)}
    if "autolens" in held:
        held |= {"autoarray", "autofit", "autogalaxy"}
    run = closure(*BY_NAME[path.stem], *(name for script in scripts(path.stem) for name in imports(script)))
    wanted = {name.split(".")[0]: file.name for file in run for name in imports(file)}
    present = held | set(sys.stdlib_module_names) | {"oddlens"}
    missing = {name: file for name, file in wanted.items() if name not in present}
    assert not missing, f"envs/{path.name} lacks what these files import: {missing}"


def test_the_lock_has_hashes_and_no_addresses():
    text = (ROOT / "requirements.lock").read_text()
    assert "://" not in text
    assert text.count("--hash=sha256:") >= len(LOCKED)


def test_the_default_profile_leaves_resources_to_others():
    profile = yaml.safe_load((ROOT / "profiles/default/config.v9+.yaml").read_text())
    assert not set(profile) & {"default-resources", "set-resources", "retries", "cores", "executor", "jobs"}
    assert "params" in profile["rerun-triggers"]


SLURM = yaml.safe_load((ROOT / "profiles/slurm/config.v9+.yaml").read_text())


def test_the_slurm_profile_is_found_by_name():
    assert (ROOT / "slurm").resolve() == ROOT / "profiles" / "slurm"
    assert SLURM["executor"] == "slurm"


def test_rules_that_ask_for_a_gpu_go_to_its_partition_and_no_others():
    blocks = re.split(r"^(?=rule |use rule )", TEXT, flags=re.MULTILINE)
    asking = {name for block in blocks if "gpu=1" in block for name in re.findall(r"^rule (\w+)", block)}
    asking |= {name for old, name in re.findall(r"^use rule (\w+) as (\w+)", TEXT, re.MULTILINE) if old in asking}
    assert {rule for rule, given in SLURM["set-resources"].items() if given["slurm_partition"] == "gpu"} == asking


def test_groups_are_of_rules_that_are_there_and_never_ask_for_two_jobs_at_once():
    """Slurm's executor runs them one after the other."""
    assert set(SLURM["groups"]) <= RULES.keys()
    assert set(SLURM["groups"].values()) == set(SLURM["group-components"])
    assert SLURM["default-resources"]["at_once"] == SLURM["resources"]["at_once"] == 1
    assert SLURM["set-resource-scopes"]["at_once"] == "local"
