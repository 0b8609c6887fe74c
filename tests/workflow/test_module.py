"""The workflow as a module of another one, as the Snakemake workflow catalog describes."""

import re
import shutil
import subprocess

import pytest
import yaml

from conftest import ROOT
from oddlens.config.merging import laid_over
from project import fresh_copy, planned, snakemake

pytestmark = pytest.mark.workflow

SMALL = {"datasets": {"model_b": None}, "only": ["dcae", "flux"]}
SPLITS = "results/smoke/splits/model_a/seed-1.csv"


def of_another(folder, k, path, config):
    """Another project, with a Snakefile of docs/module.md and its config."""
    text = re.findall(r"```python\n(.*?)```", (ROOT / "docs/module.md").read_text(), re.DOTALL)[k]
    for name, content in (("workflow/Snakefile", text), (path, yaml.safe_dump(config))):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def smoke():
    """The complete config of a small study, which a module needs."""
    default, over = (yaml.safe_load((ROOT / path).read_text()) for path in ("config/config.yaml", "tests/config.yaml"))
    return laid_over(laid_over(default, over), SMALL)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return fresh_copy(tmp_path_factory.mktemp("project") / "oddlens")


@pytest.fixture(scope="module")
def plan(project):
    """The jobs that the project itself would run."""
    (project / "small.yaml").write_text(yaml.safe_dump(SMALL))
    jobs = planned(project, "--configfile", "tests/config.yaml", "small.yaml")
    return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def test_a_release_on_a_forge_is_used_as_a_module(tmp_path, monkeypatch, project, plan):
    """Snakemake's own copy of the repository stands in for the forge."""
    git = ["git", "-c", "user.name=x", "-c", "user.email=x"]
    repository = shutil.copytree(project, tmp_path / "project", symlinks=True)
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *command], cwd=repository, check=True)
    cache = tmp_path / "cache"
    kept = cache / "snakemake/snakemake/source-cache/snakemake-git-cache/github.com/OWNER/oddlens"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository), str(kept)], check=True)
    shutil.rmtree(repository)
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    folder = of_another(tmp_path / "other", 0, "config/config.yaml", smoke())
    assert planned(folder).items() >= plan.items()
    output = snakemake(folder, "--cores", "1", "--", SPLITS)
    assert (folder / SPLITS).exists()
    assert not re.search(r"Cloning|Fetching", output), "no forge was asked"
    record = (folder / SPLITS.replace("splits", "logs/split").replace(".csv", ".json")).read_text()
    assert next((folder / ".snakemake/oddlens").iterdir()).name in record, "the record says which commit it was"


def test_a_checkout_beside_another_project_is_used_as_a_module(project, plan):
    """With renamed rules, results in a folder of their own, and a config with other keys."""
    config = {"lenses": {**smoke(), "real": {"ring": "ring.fits"}}, "mine": 1}
    folder = of_another(project.parent / "other", 1, "config.yaml", config)
    (folder / "ring.fits").touch()
    jobs = planned(folder)
    assert (jobs.pop("oddlens_real"), jobs.pop("oddlens_real_tables"), jobs.pop("all")) == (1, 1, 1)
    assert {rule.removeprefix("oddlens_"): count for rule, count in jobs.items() if rule != "total"} == plan
    snakemake(folder, "--cores", "1", "--", f"lenses/{SPLITS}")
    assert (folder / "lenses" / SPLITS).exists()
