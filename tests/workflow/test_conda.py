"""`--use-conda` as users run it, once with a stand-in and once, where there is one, with conda and its channels.

The stand-in (tests/conda) has a channel of empty packages in the lock's versions. It shows that rules name their
environments, that Snakemake makes and activates them, and that jobs run in them. It cannot show that conda-forge has
these packages, that they fit together, or that pip can install the rest: only conda's channels can.
"""

import json
import os
import shutil
import subprocess

import pytest
import rattler

import stub_channel
from conftest import ROOT
from project import SMOKE, fresh_copy, snakemake
from test_environments import ENVS, LOCKED, LOCKED_NAMES, dependencies, specs

pytestmark = pytest.mark.workflow

MAKE_ONLY = ["--cores", "2", "--use-conda", "--conda-create-envs-only", *SMOKE]
SMALL = """
datasets:
  model_a: {images: {train: 64, contaminant: 20, validation: 10, test: 10}, substructure: {vortex: null}}
  model_b: null
contamination: {images: 64, seeds: [1]}
only: [flux]
"""
TRAINED = "results/smoke/models/model_a/flux/seed-1/losses.csv"
WITNESS = """
import json
import os
import sys
from pathlib import Path

import numpy

seen = {"python": sys.prefix, "conda": os.environ["CONDA_PREFIX"], "numpy": numpy.__file__}
Path(f"{snakemake.rule}.json").write_text(json.dumps(seen))
"""
ENVIRONMENT_OF = {"simulate": "simulate", "split": "analyse", "train": "train"}
"""The environment of each rule that makes `TRAINED`."""


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    """Every locked package by the name that conda-forge gives it, and nothing else; a folder of channels."""
    folder = tmp_path_factory.mktemp("channels")
    names = {locked: name for name, locked in LOCKED_NAMES.items()}
    versions = {names.get(name, name): version for name, version in LOCKED.items()}
    stub_channel.write(folder / "conda-forge", versions | {"pip": dependencies(ENVS[0])["pip"]})
    return folder


@pytest.fixture(scope="module")
def conda():
    """A conda that reaches its channels."""
    if not shutil.which("conda"):
        pytest.skip("there is no conda here, so that nothing shows whether conda-forge can make the environments")
    asked = ["conda", "search", "--override-channels", "--channel", "conda-forge", "pip"]
    search = subprocess.run(asked, capture_output=True, text=True, timeout=600, check=False)
    if search.returncode:
        pytest.skip(f"conda does not reach conda-forge: {search.stderr[-200:]}")


@pytest.fixture(scope="module", params=["stand_in", pytest.param("channels", marks=pytest.mark.needs_channels)])
def project(request, tmp_path_factory):
    """A copy of the project whose scripts say in which environment they ran; and a conda."""
    folder = fresh_copy(tmp_path_factory.mktemp("project"))
    (folder / "small.yaml").write_text(SMALL)
    for rule in ENVIRONMENT_OF:
        with (folder / f"workflow/scripts/{rule}.py").open("a") as script:
            script.write(WITNESS)
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "channels":
            request.getfixturevalue("conda")
        else:
            stand_in(patch, request.getfixturevalue("channel"))
        yield folder


def stand_in(patch, channel):
    """Put the stand-in before any conda."""
    patch.setenv("PATH", str(ROOT / "tests/conda/bin"), prepend=os.pathsep)
    patch.setenv("CONDA_CHANNEL_ALIAS", f"{channel.as_uri()}/")


def made(folder):
    """The environments that Snakemake made, by the text of their files."""
    flags = (folder / ".snakemake/conda").glob("*.env_setup_done")
    return {flag.with_suffix(".yaml").read_text(): flag.with_suffix("") for flag in flags}


def test_all_environments_of_the_smoke_study_are_made_with_what_they_list(project):
    snakemake(project, *MAKE_ONLY)
    environments = made(project)
    assert set(environments) == {path.read_text() for path in ENVS}
    for path in ENVS:
        records = (environments[path.read_text()] / "conda-meta").glob("*.json")
        held = [rattler.PrefixRecord.from_path(record) for record in records]
        for spec in map(rattler.MatchSpec, specs(path)):
            assert any(spec.matches(record) for record in held), spec


def test_jobs_run_in_the_environments_of_their_rules(project, request):
    snakemake(project, "--cores", "2", "--use-conda", "--configfile", "tests/config.yaml", "small.yaml", "--", TRAINED)
    environments = made(project)
    for rule, env in ENVIRONMENT_OF.items():
        prefix = str(environments[(ROOT / f"envs/{env}.yaml").read_text()])
        seen = json.loads((project / f"{rule}.json").read_text())
        assert (seen["python"], seen["conda"]) == (prefix, prefix)
        assert seen["numpy"].startswith(prefix) == ("channels" in request.node.name)


@pytest.mark.parametrize(
    ("listed", "written", "told"),
    [
        ("h5py==3.16.0", "nosuchpackage==1.0", "No candidates were found for nosuchpackage ==1.0"),
        ("h5py==3.16.0", "h5py==3.15.9", "No candidates were found for h5py ==3.15.9"),
        ("scikit-posthocs==0.17.0", "scikit-posthocs==0.16.9", "the environment of the tests has 0.17.0"),
    ],
)
def test_an_environment_that_cannot_be_made_stops_the_run_and_says_why(
    tmp_path, monkeypatch, channel, listed, written, told
):
    folder = fresh_copy(tmp_path / "project")
    file = folder / "envs/analyse.yaml"
    assert listed in file.read_text()
    file.write_text(file.read_text().replace(listed, written))
    stand_in(monkeypatch, channel)
    output = snakemake(folder, *MAKE_ONLY, "--", "results/smoke/splits/model_a/seed-1.csv", fails=True)
    assert "envs/analyse.yaml" in output
    assert told in output
    assert not made(folder)
