"""`--use-conda` as users run it: with a stand-in for conda and, where there is one, with conda and its channels.

The stand-in (tests/conda) has a channel of Python and an empty pip. It tests that rules name their environments, that
Snakemake makes and activates them, and that jobs run in them. That conda-forge has this Python and this pip, and that
pip can install the packages, is tested with conda alone.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
import rattler

import stub_channel
from conftest import ROOT
from project import SMOKE, fresh_copy, snakemake
from test_environments import ENVIRONMENTS, described

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
FILES = {name: (ROOT / f"envs/{name}.yaml").read_text() for name in ENVIRONMENTS}


@pytest.fixture(scope="module")
def channel(tmp_path_factory):
    """A folder with a channel of Python and the pip that the environments name."""
    folder = tmp_path_factory.mktemp("channels")
    _, pip, _ = described(ENVIRONMENTS[0])["dependencies"]
    stub_channel.write(folder / "conda-forge", {"pip": pip.removeprefix("pip==")})
    return folder


@pytest.fixture(scope="module")
def conda():
    """A conda that reaches its channels."""
    if not shutil.which("conda"):
        pytest.skip("needs conda: whether conda-forge and PyPI have the packages is not tested")
    asked = ["conda", "search", "--override-channels", "--channel", "conda-forge", "pip"]
    search = subprocess.run(asked, capture_output=True, text=True, timeout=600, check=False)
    if search.returncode:
        pytest.skip(f"conda does not reach conda-forge: {search.stderr[-200:]}")


@pytest.fixture(scope="module", params=["stand_in", pytest.param("channels", marks=pytest.mark.needs_channels)])
def project(request, tmp_path_factory):
    """A copy of the project whose scripts record their environment; and a conda."""
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


def test_all_environments_of_the_small_study_are_made_with_what_they_list(project):
    snakemake(project, *MAKE_ONLY)
    environments = made(project)
    assert set(environments) == set(FILES.values())
    for name, file in FILES.items():
        records = [rattler.PrefixRecord.from_path(path) for path in (environments[file] / "conda-meta").glob("*.json")]
        for spec in map(rattler.MatchSpec, described(name)["dependencies"][:-1]):
            assert any(spec.matches(record) for record in records), spec


def test_jobs_run_in_the_environments_of_their_rules(project, request):
    snakemake(project, "--cores", "2", "--use-conda", "--configfile", "tests/config.yaml", "small.yaml", "--", TRAINED)
    environments = made(project)
    for rule, env in ENVIRONMENT_OF.items():
        prefix = str(environments[FILES[env]])
        seen = json.loads((project / f"{rule}.json").read_text())
        assert (seen["python"], seen["conda"]) == (prefix, prefix)
        assert seen["numpy"].startswith(prefix) == ("channels" in request.node.name)


@pytest.mark.parametrize(
    ("listed", "written", "message"),
    [
        (r"pip==[\d.]+", "nosuchpackage==1.0", "No candidates were found for nosuchpackage ==1.0"),
        (r"pip==[\d.]+", "pip==0.1", "No candidates were found for pip ==0.1"),
        (r"h5py==[\d.]+", "h5py==0.1", "the environment of the tests has"),
    ],
)
def test_an_environment_that_cannot_be_made_stops_the_run_and_says_why(
    tmp_path, monkeypatch, channel, listed, written, message
):
    folder = fresh_copy(tmp_path / "project")
    file = folder / "envs/analyse.yaml"
    text, replaced = re.subn(listed, written, file.read_text())
    assert replaced == 1
    file.write_text(text)
    stand_in(monkeypatch, channel)
    output = snakemake(folder, *MAKE_ONLY, "--", "results/smoke/splits/model_a/seed-1.csv", fails=True)
    assert "envs/analyse.yaml" in output
    assert message in output
    assert not made(folder)
