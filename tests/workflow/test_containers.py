"""The image: its two recipes, and `--sdm apptainer` with a stand-in for Apptainer, or with Apptainer and an image.

The stand-in (tests/apptainer) runs the commands on the host. It tests that jobs are sent to the image, not that the
image can be built or contains the packages.
"""

import json
import os
import re
import shutil
import subprocess
from fnmatch import fnmatch

import pytest

from conftest import ROOT
from project import fresh_copy, snakemake
from test_conda import SMALL, TRAINED
from test_environments import PYTHON

IMAGE = ROOT / "oddlens.sif"
DOCKERFILE = re.findall(r"^([A-Z]+) (.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
RECIPE = (ROOT / "oddlens.def").read_text()
SPLIT = "results/smoke/splits/model_a/seed-1.csv"
WITNESS = """
import json
import os
from pathlib import Path

seen = {"image": os.environ["APPTAINER_CONTAINER"], "conda": os.environ.get("CONDA_PREFIX")}
Path("seen.json").write_text(json.dumps(seen))
"""


def instruction(name):
    """The argument of an instruction that occurs once in the Dockerfile."""
    (argument,) = [argument for found, argument in DOCKERFILE if found == name]
    return argument


def test_the_image_has_the_projects_python():
    assert instruction("FROM").startswith(f"python:{PYTHON}-")


def test_the_image_installs_the_lock_and_checks_its_hashes():
    assert instruction("RUN").split()[:2] == ["pip", "install"]
    assert {"--require-hashes", "--requirement", "/requirements.lock"} <= set(instruction("RUN").split())


def test_files_that_the_image_copies_exist_and_are_not_ignored():
    *sources, target = instruction("COPY").split()
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch(source, line[1:]) for line in ignored[1:])
    assert f"{target}{sources[0]}" in instruction("RUN")


def test_apptainers_recipe_is_the_dockerfile():
    assert re.findall(r"^(?:From: |    )(.*)$", RECIPE, re.MULTILINE) == [
        instruction("FROM"),
        instruction("COPY"),
        instruction("RUN"),
    ]


def test_hadolint_accepts_the_dockerfile():
    subprocess.run(["hadolint", "Dockerfile"], cwd=ROOT, check=True)


def test_the_image_that_rules_name_is_the_one_that_make_builds_and_git_ignores():
    rules = (ROOT / "workflow/rules/project.smk").read_text()
    named = re.findall(r'^IMAGE = beside_project\("(.*)"\)$', rules, re.MULTILINE)
    assert named == [IMAGE.name]
    plan = subprocess.run(
        ["make", "-n", "-B", "--no-print-directory", *named], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert plan.split() == ["apptainer", "build", "--force", IMAGE.name, "oddlens.def"]
    assert "*.sif" in (ROOT / ".gitignore").read_text().split()


@pytest.fixture(params=["stand_in", pytest.param("image", marks=pytest.mark.needs_image)])
def wanted(request, monkeypatch):
    """The target of the run: a small one with the stand-in."""
    if request.param == "stand_in":
        monkeypatch.setenv("PATH", str(ROOT / "tests/apptainer/bin"), prepend=os.pathsep)
        return SPLIT
    if not (shutil.which("apptainer") and IMAGE.exists()):
        pytest.skip("needs apptainer and oddlens.sif: whether jobs run in the image is not tested")
    return TRAINED


@pytest.mark.workflow
def test_jobs_run_in_the_image_and_need_no_conda(tmp_path, wanted):
    """Also from another directory, where the image is that of the checkout."""
    folder = fresh_copy(tmp_path / "project")
    if IMAGE.exists():
        (folder / IMAGE.name).symlink_to(IMAGE)
    else:
        (folder / IMAGE.name).touch()
    elsewhere = tmp_path / "elsewhere" if wanted == SPLIT else folder
    elsewhere.mkdir(exist_ok=True)
    (folder / "small.yaml").write_text(SMALL)
    with (folder / "workflow/scripts/split.py").open("a") as script:
        script.write(WITNESS)
    study = ["-s", str(folder / "Snakefile"), "--configfile", str(folder / "tests/config.yaml")]
    study += [str(folder / "small.yaml"), "--cores", "2"]
    snakemake(elsewhere, "--sdm", "apptainer", *study, "--", wanted)
    seen = json.loads((elsewhere / "seen.json").read_text())
    assert (elsewhere / seen["image"]).samefile(folder / IMAGE.name)
    assert seen["conda"] is None
