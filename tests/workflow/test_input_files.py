"""A study whose point-spread function is in a file, and whose sources are images of galaxies."""

import json
import re

import numpy as np
import pytest

from galaxy_makers import write_catalogue
from oddlens.data import shards
from oddlens.lensing import galaxy_files, psf_files
from project import ONE, fresh_copy, planned, snakemake

pytestmark = pytest.mark.workflow

SHARD = "results/smoke/shards/model_a/validation/smooth/000.h5"
CONFIG = """
datasets:
  model_a:
    images: {validation: 8}
    camera: {psf: {file: data/psf.npy, profile: null, fwhm_arcsec: null, pixels: null}}
    source: {images: {file: data/galaxies.fits, noise_correlation: data/noise.fits}}
"""


def write_psf(path, fwhm):
    axis = np.arange(9) - 4
    values = np.exp(-4 * np.log(2) * np.hypot(axis[:, None], axis) ** 2 / fwhm**2)
    np.save(path, values / values.sum())


def test_a_changed_file_remakes_the_shards_and_a_wrong_one_stops_before_the_first_job(tmp_path):
    folder = fresh_copy(tmp_path / "project")
    (folder / "data").mkdir()
    (folder / "psf.yaml").write_text(CONFIG)
    write_psf(folder / "data/psf.npy", 2.0)
    write_catalogue(folder / "data")
    arguments = [*ONE, "psf.yaml", "--", SHARD]
    snakemake(folder, "--cores", "1", *arguments)
    shard = shards.read(folder / SHARD)
    np.testing.assert_array_equal(shard.arrays["psf"], psf_files.checked("", np.load(folder / "data/psf.npy")))
    assert shard.attributes["psf_sha256"] == psf_files.digest(str(folder / "data/psf.npy"))
    assert shard.attributes["galaxies_sha256"] == galaxy_files.digest(str(folder / "data/galaxies.fits"))
    assert set(shard.table["source_galaxy"]) <= set(json.loads(shard.attributes["galaxies"]))
    assert planned(folder, *arguments) == {}
    write_catalogue(folder / "data", seed=1)
    assert planned(folder, *arguments)["simulate"] == 1
    snakemake(folder, "--cores", "1", *arguments)
    write_psf(folder / "data/psf.npy", 2.2)
    assert planned(folder, *arguments)["simulate"] == 1
    np.save(folder / "data/psf.npy", np.ones((8, 8)) / 64)
    write_catalogue(folder / "data", count=6)
    output = snakemake(folder, "-n", "--cores", "1", *arguments, fails=True)
    assert "datasets.model_a.camera.psf: data/psf.npy has 8 pixels a side" in output
    assert re.search(r"datasets\.model_a\.source\.images: data/galaxies\.fits has \d usable galaxies", output)
    assert "Traceback" not in output
