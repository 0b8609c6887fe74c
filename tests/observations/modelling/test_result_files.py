"""Files of a fit: they hold what was found, and other codes read them."""

import json

import numpy as np
import pytest
from astropy.io import fits
from coolest.template.json import JSONSerializer

from frames_like_hst import SCALE, Lens, frame
from oddlens.observations.modelling.frame_fit import fit_frame
from oddlens.observations.modelling.frame_result import Redshifts, result_of
from oddlens.observations.modelling.result_files import COOLEST_FOLDER, FITS_FILE, read_fit, write_fit, write_problem


@pytest.fixture(scope="module")
def result():
    pixels = frame(Lens(), pixels=71)
    return result_of("SDSSJ0000+0000", pixels, fit_frame(pixels, 1.6), Redshifts(0.2, 0.6))


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    write_fit(result, folder)
    return folder


def test_a_written_fit_is_read_again(result, folder):
    found = read_fit(folder)
    assert found.numbers == json.loads(json.dumps(result.numbers))
    np.testing.assert_array_equal(found.lens.source, result.lens.source)
    np.testing.assert_array_equal(found.scan.significance, result.scan.significance)
    assert found.lens.grid == result.lens.grid


def test_images_are_on_the_pixels_of_the_frame_with_the_first_row_at_the_bottom(result, folder):
    with fits.open(folder / FITS_FILE) as hdus:
        assert hdus["RESIDUAL"].header["PIXSCALE"] == SCALE
        np.testing.assert_array_equal(hdus["ARCS"].data[::-1], result.images["arcs"])
        parts = hdus["LENS_LIGHT"].data + hdus["ARCS"].data + hdus["RESIDUAL"].data
        np.testing.assert_allclose(parts, hdus["IMAGE"].data, atol=1e-5)


def test_a_problem_is_kept(tmp_path):
    write_problem("ring", "it has no arcs", tmp_path / "ring")
    found = read_fit(tmp_path / "ring")
    assert found.numbers == {"name": "ring", "problem": "it has no arcs"}
    assert found.lens is found.scan is None


def test_the_coolest_package_reads_the_model_and_its_images(result, folder):
    path = (folder / COOLEST_FOLDER / "model").resolve()
    read = JSONSerializer(str(path), check_external_files=False).load(skip_jsonpickle=True, verbose=False)
    shear, galaxy, source = read.lensing_entities
    halo, lens = galaxy.mass_model[0].parameters, result.numbers["lens"]
    assert halo["theta_E"].point_estimate.value == lens["einstein_radius"]["value"]
    assert halo["gamma"].point_estimate.value == lens["slope"]["value"]
    expected = np.hypot(*(lens[f"shear_{part}"]["value"] for part in (1, 2)))
    assert shear.mass_model[0].parameters["gamma_ext"].point_estimate.value == pytest.approx(expected)
    assert source.redshift == 0.6
    pixels = source.light_model[0].parameters["pixels"].get_pixels(str(path.parent))
    np.testing.assert_array_equal(pixels[::-1], result.source)
    image = read.observation.pixels.get_pixels(str(path.parent))
    np.testing.assert_array_equal(image[::-1], result.images["image"])
