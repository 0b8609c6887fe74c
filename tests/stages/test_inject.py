"""Injected images: unchanged without a mass, the same in any batch, left out where no model explains them."""

import numpy as np
import pytest

from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.files.artefacts import read_arrays
from oddlens.lensing import injection
from oddlens.lensing.convolution import gaussian_psf
from oddlens.lensing.ring_model import NODES, RingModel, Source
from oddlens.stages.inject import Masses, inject, observation

MASSES = Masses([1e9, 1e10], 0.2, 0.5, 1.0)
PIXELS, SCALE, SIGMA = 20, 0.3, 0.02


class Lens(RingModel):
    def source_brightness(self, y, x):
        return 3 * np.exp(-0.5 * (((y - 0.15) / 0.25) ** 2 + ((x + 0.1) / 0.35) ** 2))


def write(path, indices, blank=(), **arrays):
    """A shard of rings, whose Einstein radii follow from their indices; `blank` ones have noise alone."""
    dark = Source(np.zeros((NODES, NODES)), (0.0, 0.0), 1.0)
    images = []
    for k in indices:
        lens = Lens(1.3 + 0.05 * k, (0.0, 0.0), (0.05, 0.0), dark)
        clean = injection.model_image(lens, PIXELS, SCALE, gaussian_psf(2.0))
        images.append((k not in blank) * clean + np.random.default_rng(k).normal(0, SIGMA, clean.shape))
    truth = {"noise_gain": 0.0, "noise_background": SIGMA**2, "psf_fwhm_pixels": 2.0}
    truth = {f"truth/{name}": np.full(len(indices), value) for name, value in truth.items()} | arrays
    about = {"pool": "test", "class": "smooth", "pixel_scale_arcsec": SCALE, "dataset": "d"}
    shards.write(path, Shard({"images": np.float32(images), "index": np.array(indices), **truth}, about))
    return path


def injected(folder, paths, images=10, seed=1, simulation=None):
    settings = {"masses": MASSES, "model": "auto", "simulation": simulation}
    inject(folder / "out.h5", paths, **settings, images=images, dataset="d", seed=seed)
    return read_arrays(folder / "out.h5")


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    folder = tmp_path_factory.mktemp("together")
    return injected(folder, [write(folder / "a.h5", [0, 1, 2], blank=[1])])


def test_an_image_without_a_mass_is_unchanged(together, tmp_path):
    arrays, about = together
    shard = shards.read(write(tmp_path / "a.h5", [0, 1, 2], blank=[1]))
    assert (about["kind"], about["pool"], about["class"]) == ("injected", "test", "smooth")
    np.testing.assert_array_equal(arrays["images"][0], shard.images[[0, 2]])
    np.testing.assert_array_equal(arrays["index"], [0, 2])


def test_noise_alone_is_left_out(together):
    assert together[0]["left_out"].tolist() == [1]


def test_changes_grow_with_the_mass_and_lie_near_it(together):
    arrays = together[0]
    assert arrays["mass_msun"].tolist() == [0, 1e9, 1e10]
    assert (np.diff(arrays["significance"], axis=0) > 0).all()
    assert arrays["area"][2] == pytest.approx(10 * arrays["area"][1])
    change = np.abs(arrays["images"][2] - arrays["images"][0])
    for k in range(2):
        row, column = np.unravel_index(change[k].argmax(), change[k].shape)
        y, x = (PIXELS / 2 - row - 0.5) * SCALE, (column + 0.5 - PIXELS / 2) * SCALE
        assert np.hypot(y - arrays["y_arcsec"][k], x - arrays["x_arcsec"][k]) < 3 * SCALE


def test_an_image_is_injected_alike_in_any_shard_and_number(together, tmp_path):
    paths = [write(tmp_path / "a.h5", [0]), write(tmp_path / "b.h5", [2, 3])]
    arrays, _ = injected(tmp_path, paths, images=2)
    np.testing.assert_array_equal(arrays["images"], together[0]["images"])


def test_other_seeds_give_other_positions(together, tmp_path):
    arrays, _ = injected(tmp_path, [write(tmp_path / "a.h5", [0])], seed=2)
    assert arrays["y_arcsec"][0] != together[0]["y_arcsec"][0]


def test_images_of_one_lens_keep_its_number(tmp_path):
    arrays, _ = injected(tmp_path, [write(tmp_path / "a.h5", [0, 2], **{"truth/lens": np.array([7.0, 7.0])})])
    assert arrays["lens"].tolist() == [7, 7]


def test_a_set_that_no_model_explains_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no smooth model explains"):
        injected(tmp_path, [write(tmp_path / "a.h5", [0, 1], blank=[0, 1])])


def test_the_kinds_of_models_are_stored(tmp_path, together):
    """These lenses are not those of the simulation, but their Gaussian sources are Sersic profiles of index 1/2."""
    assert set(together[0]["model/kind"]) == {b"ring"}
    camera = {"pixels": PIXELS, "pixel_scale_arcsec": SCALE, "psf": {"profile": "gaussian", "fwhm_arcsec": 2 * SCALE}}
    above = {"camera": camera, "source": {"sersic_index": {"uniform": [0.4, 2]}}}
    simulation = preset_simulation("model_b", above=above).only("smooth").plain()
    arrays, _ = injected(tmp_path, [write(tmp_path / "a.h5", [0, 2])], simulation=simulation)
    assert set(arrays["model/kind"]) == {b"lensfit"}
    assert (arrays["model/chi_square"] < 1.3).all()
    for name in ("images", "y_arcsec", "x_arcsec"):
        assert np.isfinite(arrays[name]).all()


def test_unknown_noise_is_measured_and_known_noise_is_used(tmp_path):
    y, x = np.indices((40, 40))
    image = np.exp(-0.5 * ((np.hypot(y - 20, x - 20) - 10) / 3) ** 2)
    noisy = image + np.random.default_rng(0).normal(0, 0.05, image.shape)

    def sigma(image, gain, background):
        truth = {"truth/noise_gain": np.array([gain]), "truth/noise_background": np.array([background])}
        shard = Shard({"images": image[None], "index": np.arange(1), **truth}, {"pixel_scale_arcsec": SCALE})
        return observation(shard, 0).sigma

    np.testing.assert_allclose(sigma(noisy, 0.0, 0.0), 0.05, rtol=0.1)
    known = sigma(noisy, 0.01, 0.0004)
    assert known.min() == pytest.approx(0.02, rel=0.1)
    assert known.max() == pytest.approx(np.sqrt(0.0004 + 0.01), rel=0.1)
    with pytest.raises(ValueError, match="shows none"):
        sigma(np.ones((9, 9)), 0.0, 0.0)


def test_the_point_spread_function_of_a_shard_counts_before_its_width(tmp_path):
    shard = shards.read(write(tmp_path / "a.h5", [0]))
    np.testing.assert_allclose(observation(shard, 0).psf, gaussian_psf(2.0))
    own = Shard({**shard.arrays, "psf": np.ones((1, 1))}, shard.attributes)
    assert observation(own, 0).psf.shape == (1, 1)
