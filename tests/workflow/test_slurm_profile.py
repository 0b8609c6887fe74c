"""The profiles agree with the rules."""

import re

import yaml

from conftest import ROOT

SLURM = yaml.safe_load((ROOT / "profiles/slurm/config.v9+.yaml").read_text())
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
NAMES = set(re.findall(r"^rule (\w+):", RULES, re.MULTILINE))


def test_the_default_profile_leaves_resources_to_others():
    profile = yaml.safe_load((ROOT / "profiles/default/config.v9+.yaml").read_text())
    assert not set(profile) & {"default-resources", "set-resources", "retries", "cores", "executor", "jobs"}
    assert "params" in profile["rerun-triggers"]


def test_the_slurm_profile_is_found_by_name():
    assert (ROOT / "slurm").resolve() == ROOT / "profiles" / "slurm"
    assert SLURM["executor"] == "slurm"


def test_rules_that_ask_for_a_gpu_go_to_its_partition_and_no_others():
    blocks = re.split(r"^(?=rule |use rule )", RULES, flags=re.MULTILINE)
    asking = {name for block in blocks if "gpu=1" in block for name in re.findall(r"^rule (\w+)", block)}
    asking |= {name for old, name in re.findall(r"^use rule (\w+) as (\w+)", RULES, re.MULTILINE) if old in asking}
    assert {rule for rule, given in SLURM["set-resources"].items() if given["slurm_partition"] == "gpu"} == asking


def test_groups_hold_rules_that_exist_and_run_one_job_at_a_time():
    """Slurm's executor runs the jobs of a group one after the other."""
    assert set(SLURM["groups"]) <= NAMES
    assert set(SLURM["groups"].values()) == set(SLURM["group-components"])
    assert SLURM["default-resources"]["at_once"] == SLURM["resources"]["at_once"] == 1
    assert SLURM["set-resource-scopes"]["at_once"] == "local"
