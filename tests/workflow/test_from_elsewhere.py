"""The workflow from another directory: the default config lies below, results and relative paths start there."""

import pytest
import yaml

from project import SMOKE, fresh_copy, planned, snakemake

pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return fresh_copy(tmp_path_factory.mktemp("project") / "oddlens")


@pytest.fixture(scope="module")
def plan(project):
    """The jobs of the small study in the project itself."""
    return planned(project, *SMOKE)


@pytest.mark.parametrize("snakefile", ["Snakefile", "workflow/Snakefile"])
def test_a_config_is_laid_over_the_default_one_from_any_directory(tmp_path, project, plan, snakefile):
    config = ["--configfile", str(project / "tests/config.yaml")]
    assert planned(tmp_path, "-s", str(project / snakefile), *config) == plan


def test_relative_config_files_start_where_the_command_runs(tmp_path, project, plan):
    """And `--directory` is where the results go."""
    out = snakemake(project, "-n", "--cores", "2", "--directory", str(tmp_path), *SMOKE, "--", "all")
    assert f"Working directory: {tmp_path}" in out
    assert planned(project, "--directory", str(tmp_path), *SMOKE) == plan


def test_a_config_of_the_working_directory_takes_the_place_of_the_default_one(tmp_path, project):
    """As Snakemake does; so a row that this config leaves out does not come back."""
    whole = yaml.safe_load((project / "config/config.yaml").read_text())
    whole |= {"study": "own", "detectors": {"flux": {}}, "datasets": {"model_a": whole["datasets"]["model_a"]}}
    own = tmp_path / "config/config.yaml"
    own.parent.mkdir()
    own.write_text(yaml.safe_dump(whole))
    jobs = planned(tmp_path, "-s", str(project / "workflow/Snakefile"))
    assert jobs["score"] == 1
    own.write_text("seed: 3")
    told = snakemake(tmp_path, "-n", "-s", str(project / "workflow/Snakefile"), "--cores", "1", fails=True)
    assert "config/config.yaml here takes the place of the default config" in told
    assert "--configfile" in told


def test_a_null_of_the_command_line_removes_a_row_and_a_misspelt_one_is_refused(project, plan):
    rows = [*SMOKE, "--config", "detectors={flux: null}", "only=[iforest, oracle, flux]"]
    assert "only: there is no row 'flux'" in snakemake(project, "-n", *rows, fails=True)
    jobs = planned(project, *SMOKE, "--config", "detectors={oracle: null}", "only=null")
    assert jobs["score"] > plan["score"], "all rows, as `only` is null"
    told = snakemake(project, "-n", *SMOKE, "--config", "detectors={flx: null}", fails=True)
    assert "detectors.flx: null removes nothing" in told
    assert "Did you mean 'flux'?" in told


def test_real_lenses_of_a_config_start_at_the_working_directory(tmp_path, project):
    (tmp_path / "config.yaml").write_text("real: {mine: lenses/ring.fits}")
    command = ["-s", str(project / "Snakefile"), "--configfile", str(project / "tests/config.yaml"), "config.yaml"]
    assert "lenses/ring.fits" in snakemake(tmp_path, "-n", "--cores", "1", *command, fails=True)
    (tmp_path / "lenses").mkdir()
    (tmp_path / "lenses/ring.fits").touch()
    assert planned(tmp_path, *command)["real"] == 2


def test_an_index_that_cannot_be_read_stops_before_the_first_job(tmp_path, project):
    (tmp_path / "lenses.csv").write_text("object;scale\n")
    (tmp_path / "config.yaml").write_text(
        "real: {mine: lenses.csv, other: none.csv, third: {path: none.csv, pixel_scale_arcsec: 0.05}}"
    )
    told = snakemake(tmp_path, "-n", "-s", str(project / "Snakefile"), "--configfile", "config.yaml", fails=True)
    assert "real.mine: lenses.csv has no column 'name'" in told
    assert "real.third: none.csv has a column of pixel scales" in told
    assert "Traceback" not in told


def test_a_module_without_a_config_takes_the_default_one(tmp_path, project):
    (tmp_path / "Snakefile").write_text(
        f"module oddlens:\n    snakefile: '{project}/workflow/Snakefile'\nuse rule * from oddlens\n"
    )
    assert planned(tmp_path, "--", "all")["score"] > 40, "the rows of the default study, for two data sets"
