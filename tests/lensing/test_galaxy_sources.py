"""Sources that are images of galaxies: placing, size, brightness, images, and where their catalogue is needed."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from astropy.io import fits
from scipy import integrate, ndimage, signal

from galaxy_makers import write_catalogue
from oddlens.config.presets import preset_simulation
from oddlens.data import shards
from oddlens.detectors.lensfit import DEFAULT_SOURCE_PIXELS, LensFit
from oddlens.lensing import camera as cameras
from oddlens.lensing import galaxy_files, galaxy_images, galaxy_sources, profiles, ray_tracing, reference, render, scene
from oddlens.lensing.grids import grid
from oddlens.lensing.simulation import Simulation, complexities
from oddlens.lensing.source_images import without_folders
from oddlens.observations import fits_files
from oddlens.results.tables.score_files import read_truth
from oddlens.schema.config_errors import ConfigError
from oddlens.stages import export
from oddlens.stages import simulate as simulating
from oddlens.stages.truth import truth

FEW = {"pixels": 16, "pixel_scale_arcsec": 0.3, "error_sigma": None, "over_sampling": 4}
COUNT = 40


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_catalogue(tmp_path_factory.mktemp("galaxies"))


@pytest.fixture(scope="module")
def simulation(images):
    above = {"source": {"images": images}, "lens": {"light": None}, "camera": FEW}
    return preset_simulation("model_c", "real_sources", above=above)


def drawn(simulation, pool="test", cls="smooth", count=COUNT, seed=3):
    return scene.draw_scenes(simulation, seed, "d", pool, cls, np.arange(count))


def one(scenes, k):
    return {part: {n: c[k] for n, c in columns.items()} for part, columns in ray_tracing.parameters(scenes).items()}


def brightness(scenes, k, half_width, side=600):
    """The source on a fine grid about its centre, row 0 at the top, and the area of its cells."""
    q = {name: column[k] for name, column in scenes.lens.items()}
    y, x = (part.astype(float) for part in grid(side, 2 * half_width))
    centre = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
    light = ray_tracing.source_brightness(one(scenes, k), y + centre[0], x + centre[1], np)
    return light, y, x, (2 * half_width / side) ** 2


# --- placing ---------------------------------------------------------------------------------------------------------


def test_size_direction_shape_position_and_flux_are_as_asked(simulation):
    scenes = drawn(simulation)
    q = scenes.lens
    for k in range(8):
        radius, axis_ratio = q["source_effective_radius_arcsec"][k], q["source_axis_ratio"][k]
        light, y, x, cell = brightness(scenes, k, 8 * radius)
        flux = light.sum() * cell
        asked = galaxy_sources.sersic_flux(
            *(q[f"source_{name}"][k] for name in ("intensity_per_arcsec2", "effective_radius_arcsec", "sersic_index"))
        )
        assert flux == pytest.approx(asked, rel=2e-3)
        assert (light * y).sum() * cell == pytest.approx(0, abs=0.01 * radius * flux)
        assert (light * x).sum() * cell == pytest.approx(0, abs=0.01 * radius * flux)
        v, u = profiles.rotated(y, x, np.deg2rad(q["source_angle_deg"][k]), np)
        inside = axis_ratio * u**2 + v**2 / axis_ratio < radius**2
        assert light[inside].sum() * cell == pytest.approx(0.5 * flux, rel=0.03)
        assert (light * u * u).sum() > (light * v * v).sum()
        assert light.min() > -0.02 * light.max()


@pytest.mark.parametrize("index", [0.5, 1.5, 4.0])
def test_the_flux_of_a_sersic_profile_is_its_integral(index):
    def ring(r):
        return 2 * np.pi * r * profiles.sersic(0.0, r, 7.0, 0.6, index, 1.0, 0.0, np)

    total, _ = integrate.quad(ring, 0, 400, limit=500, points=[0.01, 0.1, 1, 10])
    assert galaxy_sources.sersic_flux(np.array(7.0), np.array(0.6), np.array(index)) == pytest.approx(total, rel=2e-4)


def test_an_image_turns_counter_clockwise_with_its_top_up(simulation):
    scenes = drawn(simulation)
    p = {name: column[0] for name, column in scenes.galaxies.parameters.items()}
    p = {**p, "turn_rad": 0.0, "brightness": 1.0}
    row, column, size = p["centre_row"], p["centre_column"], p["pixel_arcsec"]
    above = galaxy_sources.brightness(p, np.array(3 * size), np.array(2 * size), np)
    nodes = np.array([1, 4, 1]) / 6
    pixels = ndimage.convolve1d(ndimage.convolve1d(p["spline"].astype(float), nodes, axis=0), nodes, axis=1)
    expected = ndimage.map_coordinates(pixels, [[row - 3], [column + 2]], order=3)[0]
    assert above == pytest.approx(expected, rel=1e-4)
    turned = galaxy_sources.brightness({**p, "turn_rad": np.pi / 2}, np.array(2 * size), np.array(-3 * size), np)
    assert turned == pytest.approx(above, rel=1e-6)


def test_twins_and_seeds_share_what_they_must(simulation):
    smooth, odd = drawn(simulation), drawn(simulation, cls="cdm")
    np.testing.assert_array_equal(smooth.galaxies.name, odd.galaxies.name)
    few = scene.draw_scenes(simulation, 3, "d", "test", "smooth", np.array([7, 5]))
    np.testing.assert_array_equal(few.galaxies.name, smooth.galaxies.name[[7, 5]])
    assert not np.array_equal(smooth.galaxies.name, drawn(simulation, seed=4).galaxies.name)


def test_no_galaxy_is_in_training_and_test_images(simulation):
    names = {pool: set(drawn(simulation, pool, count=200).galaxies.name) for pool in ("train", "validation", "test")}
    assert len(names["train"]) >= galaxy_images.MIN_GALAXIES
    assert not names["train"] & names["test"]
    assert not names["validation"] & names["test"]
    assert not set(drawn(simulation, "contaminant", "cdm", 200).galaxies.name) & names["test"]


def test_all_other_parameters_are_those_without_images(simulation):
    ours, profile = drawn(simulation).lens, drawn(simulation.with_sersic_sources).lens
    assert set(ours) - set(profile) == {"source_psf_fwhm_arcsec"}
    for name in set(profile) - {"source_axis_ratio"}:
        np.testing.assert_array_equal(ours[name], profile[name])


# --- images ----------------------------------------------------------------------------------------------------------


def test_images_are_the_direct_ray_traced_sum(simulation):
    scenes, camera = drawn(simulation, count=3), simulation.camera
    rendered = render.renderer(camera, "smooth")(scenes)["image"]
    n, rays = render.padded_pixels(camera), camera.over_sampling
    y, x = (np.broadcast_to(a, (n * rays, n * rays)).astype(float) for a in grid(n * rays, n * 0.3))
    nodes = np.array([1, 4, 1]) / 6
    for k in range(3):
        p = one(scenes, k)
        q, galaxy = p["lens"], p["galaxy"]
        alpha = ray_tracing.deflections(p, None, y, x, np)
        centre = profiles.polar(q["source_offset_arcsec"], q["source_offset_angle_deg"], np)
        dy, dx = y - alpha[0] - centre[0], x - alpha[1] - centre[1]
        turned = (dx + 1j * dy) * np.exp(-1j * galaxy["turn_rad"]) / galaxy["pixel_arcsec"]
        pixels = ndimage.convolve1d(ndimage.convolve1d(galaxy["spline"].astype(float), nodes, axis=0), nodes, axis=1)
        place = [galaxy["centre_row"] - turned.imag, galaxy["centre_column"] + turned.real]
        light = galaxy["brightness"] * ndimage.map_coordinates(pixels, place, order=3)
        means = light.reshape(n, rays, n, rays).mean(axis=(1, 3))
        electrons = cameras.electrons_per_flux(scenes.lens)[k] * 0.3**2
        kernel = cameras.psf_kernels(camera, scenes.lens)[0]
        expected = electrons * signal.fftconvolve(means, kernel, mode="valid")
        assert np.abs(rendered[k] - expected).max() < 2e-5 * expected.max()


def test_images_agree_with_pyautolens(simulation):
    scenes = drawn(simulation, cls="cdm", count=2)
    rendered = render.renderer(simulation.camera, "cdm")(scenes)["image"]
    for k in range(2):
        assert reference.disagreement(simulation.camera, "cdm", scenes, k, rendered[k]) < 0.01


def test_derivatives_are_those_of_finite_differences(simulation):
    scenes = drawn(simulation)
    p, step = one(scenes, 1)["galaxy"], 1e-6
    y, x = np.random.default_rng(0).normal(0, 0.4, (2, 50))
    jax.config.update("jax_enable_x64", True)
    try:
        q = {name: jnp.asarray(value, jnp.float64) for name, value in p.items()}
        slopes = jax.vmap(jax.grad(lambda y, x: galaxy_sources.brightness(q, y, x, jnp), argnums=(0, 1)))(y, x)
    finally:
        jax.config.update("jax_enable_x64", False)
    q = {name: np.asarray(value, float) for name, value in p.items()}
    for slope, (dy, dx) in zip(slopes, ((step, 0), (0, step)), strict=True):
        upper, lower = (galaxy_sources.brightness(q, y + s * dy, x + s * dx, np) for s in (1, -1))
        expected = (upper - lower) / (2 * step)
        np.testing.assert_allclose(slope, expected, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def shard(simulation):
    return simulating.simulate(simulation, seed=3, dataset="d", pool="test", cls="cdm", first=2, count=3)


def test_a_shard_has_the_names_of_galaxies_and_the_digests_of_their_files(shard, simulation, images):
    np.testing.assert_array_equal(shard.table["source_galaxy"], drawn(simulation).galaxies.name[2:5])
    assert set(shard.table["source_galaxy"]) <= set(json.loads(shard.attributes["galaxies"]))
    assert shard.attributes["galaxies_sha256"] == galaxy_files.digest(images["file"])
    assert shard.attributes["noise_correlation_sha256"] == galaxy_files.digest(images["noise_correlation"])


def test_exported_files_and_the_truth_table_have_the_names(shard, simulation, tmp_path):
    names = drawn(simulation).galaxies.name[2:5].tolist()
    psf = cameras.psf_kernels(simulation.camera, shard.group("truth"))[0]
    fits_files.write(tmp_path / "image.fits", export.observation(shard, 1, simulation.camera, psf))
    assert fits.getheader(tmp_path / "image.fits")["GALAXY"] == names[1]
    assert export.metadata(shard, ["a", "b", "c"])["source_galaxy"].tolist() == names
    shards.write(tmp_path / "shard.h5", shard)
    truth(tmp_path / "truth.csv", [str(tmp_path / "shard.h5")], "d")
    assert read_truth(tmp_path / "truth.csv")["source_galaxy"].tolist() == names


# --- settings --------------------------------------------------------------------------------------------------------


def test_a_preset_without_a_file_says_how_to_give_it():
    with pytest.raises(ConfigError, match=r"source\.images: file is missing: give the path.*images: \{file: gal"):
        preset_simulation("model_c", "real_sources")


def test_clumps_and_images_exclude_each_other(images):
    with pytest.raises(ConfigError, match=r"set source\.clumps: null"):
        preset_simulation("model_c", above={"source": {"images": images}})


def test_images_are_a_complexity(simulation):
    assert "source.images" in complexities(simulation)


# --- lens fits -------------------------------------------------------------------------------------------------------


def test_a_lens_fit_needs_no_catalogue_and_has_source_pixels(simulation):
    plain = without_folders(simulation.plain())
    assert plain["source"]["images"]["file"] == "galaxies.fits"
    assert without_folders(plain) == plain
    nowhere = Simulation.model_validate(plain)
    with pytest.raises(FileNotFoundError, match=r"there is no file galaxies\.fits"):
        galaxy_images.prepared(nowhere.source.images)
    model = LensFit.build(16, simulation=plain, lenses=16)
    assert model.lens_model.parametrisation.source_pixels == DEFAULT_SOURCE_PIXELS
    model.sample_lenses(torch.Generator().manual_seed(0))
    assert model.parameter_network.lenses.isfinite().all()


def test_a_simulation_of_profiles_is_left_as_it_is():
    plain = preset_simulation("model_c").plain()
    assert without_folders(plain) is plain
