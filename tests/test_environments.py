"""What can be known of the conda environments without a channel: they parse, agree with the lock, and are enough.

That conda-forge can solve them is not shown here.
"""

import ast
import re
import sys

import pytest
import yaml

from conftest import ROOT
from oddlens import settings
from oddlens.lensing import substructure
from oddlens.provenance import closure

ENVS = sorted((ROOT / "envs").glob("*.yaml"))
LOCKED = dict(re.findall(r"^([\w.-]+)==([\w.+]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE))
CONDA_NAMES = {"pytorch": "torch"}
IMPORT_NAMES = {
    "scikit-learn": "sklearn",
    "scikit-posthocs": "scikit_posthocs",
    "pyyaml": "yaml",
    "pytorch": "torch",
    "pillow": "PIL",
}
RULES = "\n".join(f.read_text() for f in sorted((ROOT / "workflow" / "rules").glob("*.smk")))


def dependencies(path):
    """Names and versions, conda's and pip's."""
    for entry in yaml.safe_load(path.read_text())["dependencies"]:
        for line in entry["pip"] if isinstance(entry, dict) else [entry]:
            name, _, version = line.replace("==", "=").partition("=")
            yield name, version


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_channels_end_in_nodefaults(path):
    assert yaml.safe_load(path.read_text())["channels"][-1] == "nodefaults"


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_versions_are_those_of_the_lock(path):
    for name, version in dependencies(path):
        if name not in ("python", "pip"):
            assert LOCKED[CONDA_NAMES.get(name, name)] == version, name


def test_every_rule_names_an_environment_that_exists_and_every_environment_is_used():
    used = re.findall(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', RULES)
    assert len(used) == len(re.findall(r"^rule \w+:", RULES, re.MULTILINE))
    assert set(used) == {path.stem for path in ENVS}


MODULES = {
    "simulate": [
        "oddlens.lensing.simulate",
        "oddlens.export",
        *(f"oddlens.lensing.substructure.{n}" for n in substructure.names()),
    ],
    "train": ["oddlens.train", "oddlens.score", *(f"oddlens.detectors.{n}" for n in settings.detectors())],
    "analyse": [
        f"oddlens.{name}"
        for name in (
            "splits",
            "truth",
            "aggregate",
            "figures.draw",
            "figures.noise",
            "figures.ranks",
            "preview",
            "report",
        )
    ],
}


@pytest.mark.parametrize("path", ENVS, ids=lambda p: p.stem)
def test_an_environment_holds_all_that_its_modules_import(path):
    held = {IMPORT_NAMES.get(name, name) for name, _ in dependencies(path)}
    if "autolens" in held:
        held |= {"autoarray", "autogalaxy"}
    for module in closure(*MODULES[path.stem]):
        for node in ast.walk(ast.parse(module.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in {n.split(".")[0] for n in names} - set(sys.stdlib_module_names) - {"oddlens"}:
                assert name in held, f"{module.name} imports {name}, envs/{path.name} has no such package"


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
    blocks = re.split(r"^(?=rule |use rule )", RULES, flags=re.MULTILINE)
    asking = {name for block in blocks if "gpu=1" in block for name in re.findall(r"^rule (\w+)", block)}
    asking |= {name for old, name in re.findall(r"^use rule (\w+) as (\w+)", RULES, re.MULTILINE) if old in asking}
    assert {rule for rule, given in SLURM["set-resources"].items() if given["slurm_partition"] == "gpu"} == asking


def test_groups_are_of_rules_that_are_there_and_never_ask_for_two_jobs_at_once():
    """Slurm's executor runs them one after the other."""
    assert set(SLURM["groups"]) <= set(re.findall(r"^rule (\w+)", RULES, re.MULTILINE))
    assert set(SLURM["groups"].values()) == set(SLURM["group-components"])
    assert SLURM["default-resources"]["at_once"] == SLURM["resources"]["at_once"] == 1
    assert SLURM["set-resource-scopes"]["at_once"] == "local"
