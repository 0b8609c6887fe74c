"""Every preset validates, states what its comments say, and its images are right and fine enough."""

import re
import tempfile
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml
from scipy import signal

from galaxy_makers import write_catalogue
from oddlens.config import presets
from oddlens.config.presets import PRESETS, preset_simulation
from oddlens.config.study import parse_study
from oddlens.lensing import camera as cameras
from oddlens.lensing import grids, ray_tracing, reference, render, scene, substructure_classes
from oddlens.lensing.simulated_images import simulate_images
from oddlens.schema.config_errors import ConfigError

TEXT = {path.stem: path.read_text() for path in sorted(PRESETS.glob("*.yaml"))}
RAW = {name: yaml.safe_load(text) for name, text in TEXT.items()}
OVERLAYS = [name for name, raw in RAW.items() if "preset" not in raw and "redshift" not in raw.get("source", {})]
CAMERAS = ["euclid", "hst", "lsst", "roman"]
FOLDER = tempfile.TemporaryDirectory()  # removed at the end


@cache
def simulation(name):
    """The simulation of a preset; an overlay lies on model A. Several are joined by +."""
    names = name.split("+")
    above = {"source": {"images": galaxies()}} if {"real_sources", "sky"} & set(names) else None
    return preset_simulation(*(["model_a"] if names[0] in OVERLAYS else []), *names, above=above)


@cache
def galaxies():
    """A catalogue, which the preset leaves to the user."""
    return write_catalogue(Path(FOLDER.name))


def sampled(name, cls, count, pool="test"):
    return scene.draw_scenes(simulation(name), 7, "presets", pool, cls, np.arange(count))


def of_all_classes(names):
    return [(name, cls) for name in names for cls in ("smooth", *simulation(name).substructure)]


def header(name):
    return " ".join(line.lstrip("# ") for line in TEXT[name].splitlines() if line.startswith("#"))


def fixed(prior):
    assert prior.kind == "fixed"
    return prior.parameters[0]


# --- what they state -------------------------------------------------------------------------------------------------


def test_presets_are_the_ones_this_file_knows():
    substructure = {"subhalo", "nfw_subhalo", "line_of_sight", "steep_subhalos", "tnfw_subhalos"}
    assert set(OVERLAYS) == {*CAMERAS, *substructure, "power_law", "real_sources", "decoys"}
    assert {"model_a", "model_b", "model_c", "sky", "morphology_a", "morphology_b", "deeplensesim_ii"} <= RAW.keys()


@pytest.mark.parametrize("name", RAW)
def test_a_preset_validates_and_survives_a_round_trip_through_plain_data(name):
    plain = simulation(name).plain()
    assert type(simulation(name)).model_validate(yaml.safe_load(yaml.safe_dump(plain))).plain() == plain
    assert {"cdm", "vortex"} <= plain["substructure"].keys()


@pytest.mark.parametrize("name", CAMERAS)
def test_the_sky_of_a_camera_is_that_of_its_comment(name):
    (magnitude,) = re.findall(r"# 10\^\(0\.4 \(25 - ([\d.]+)\)\)", TEXT[name])
    assert fixed(simulation(name).camera.sky_per_arcsec2) == pytest.approx(
        10 ** (0.4 * (25 - float(magnitude))), rel=1e-3
    )
    assert f"AB {magnitude}" in header(name)


@pytest.mark.parametrize("name", CAMERAS)
def test_the_read_noise_of_a_camera_is_that_of_all_its_reads(name):
    ((each, reads),) = re.findall(r"# ([\d.]+) sqrt\((\d+)\)", TEXT[name])
    assert fixed(simulation(name).camera.read_noise_electrons) == pytest.approx(
        float(each) * np.sqrt(int(reads)), rel=1e-3
    )


@pytest.mark.parametrize(
    ("name", "exposures", "words"),
    [
        ("euclid", 4 * 566, "Four exposures of 566 s"),
        ("hst", 4 * 550, "four exposures of 550 s"),
        ("lsst", 184 * 30, "184 visits of 30 s"),
    ],
)
def test_the_exposure_of_a_camera_is_that_of_its_comment(name, exposures, words):
    assert fixed(simulation(name).camera.exposure_s) == exposures
    assert words in header(name)


@pytest.mark.parametrize("name", CAMERAS)
def test_zero_point_and_width_are_those_of_the_comment(name):
    camera = simulation(name).camera
    assert f"{fixed(camera.zero_point_mag):g}" in header(name)
    width = fixed(camera.psf.fwhm_arcsec)
    assert re.search(rf"\b({width:.2f}|{width:.3f})\b", header(name))


@pytest.mark.parametrize(
    ("name", "electrons", "seconds"), [("lsst", 1588, 30), ("hst", 0.0755, 1)], ids=["Rubin's pipelines", "zodiacal"]
)
def test_the_sky_gives_the_electrons_that_the_observatory_counts(name, electrons, seconds):
    lens = sampled(name, "smooth", 1).lens
    assert cameras.sky(simulation(name).camera, lens)[0] * seconds == pytest.approx(electrons, rel=0.015)
    assert f"{electrons} electrons" in header(name)


@pytest.mark.parametrize(("name", "radius"), [("model_a", 1.66), ("deeplensesim_ii", 0.812), ("morphology_a", 1.2)])
def test_the_einstein_radius_of_a_preset_is_the_one_it_states(name, radius):
    np.testing.assert_allclose(sampled(name, "smooth", 3).lens["einstein_radius_arcsec"], radius, rtol=3e-3)
    if name != "model_a":
        assert f"an Einstein radius of {radius} arcsec" in TEXT[name]


def test_deeplensesim_has_no_noise_and_its_substructure_on_top():
    for cls in ("smooth", "cdm", "vortex"):
        scenes, camera = sampled("deeplensesim_ii", cls, 4), simulation("deeplensesim_ii").camera
        np.testing.assert_array_equal(scenes.lens["halo_einstein_radius_arcsec"], scenes.lens["einstein_radius_arcsec"])
        made = simulate_images(
            simulation("deeplensesim_ii"), render.renderer(camera, cls), 7, "presets", "test", cls, np.arange(2)
        )
        np.testing.assert_array_equal(made.images, made.rendered["image"])
        assert made.images.max() > 0.1


def test_vortices_of_deeplensesim_are_three_arcsec_long_and_less():
    length = sampled("deeplensesim_ii", "vortex", 200).substructure["vortex_length_arcsec"]
    assert 0.06 <= length.min() < 0.07
    assert 5 < length.max() <= 6


def test_point_masses_of_morphology_a_hold_a_hundredth_of_the_lens():
    np.testing.assert_allclose(sampled("morphology_a", "cdm", 2).truth["substructure_fraction"], 0.01, rtol=1e-3)


def test_steep_subhalos_hold_as_much_as_the_default_ones():
    flat, steep = (
        sampled(name, "cdm", 1000).truth["substructure_fraction"].mean() for name in ("model_a", "steep_subhalos")
    )
    assert steep == pytest.approx(flat, rel=0.05)


# --- lists of presets ------------------------------------------------------------------------------------------------


def test_the_last_of_several_presets_lies_on_top():
    one, other = preset_simulation("model_a", "hst", "euclid"), preset_simulation("model_a", "euclid", "hst")
    assert one.camera == simulation("euclid").camera
    assert other.camera == simulation("hst").camera
    assert one.lens == other.lens == simulation("model_a").lens


def test_what_is_written_lies_over_all_presets():
    laid = preset_simulation("model_a", "hst", above={"camera": {"pixels": 20}})
    assert laid.camera == simulation("hst").camera.model_copy(update={"pixels": 20})


def test_a_null_in_an_overlay_removes_what_lies_below():
    assert simulation("lsst").camera.psf.moffat_beta is not None
    assert preset_simulation("model_a", "lsst", "hst").camera.psf.moffat_beta is None
    assert "number" not in simulation("steep_subhalos").plain()["substructure"]["cdm"] or (
        simulation("steep_subhalos").plain()["substructure"]["cdm"]["number"] is None
    )


def test_a_data_set_may_name_a_list_of_presets(config):
    config["datasets"]["model_b"]["preset"] = ["model_b", "euclid", "subhalo"]
    study = parse_study(config)
    assert study.datasets["model_b"].camera == simulation("euclid").camera
    assert study.datasets["model_b"].lens == simulation("model_b").lens
    assert study.datasets["model_b"].classes == ["smooth", "cdm", "vortex", "subhalo"]


def test_a_preset_may_name_a_list_of_presets(tmp_path, monkeypatch):
    for name, text in TEXT.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    (tmp_path / "mine.yaml").write_text("preset: [model_b, hst]\ncamera: {pixels: 40}")
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    mine = preset_simulation("mine")
    assert mine.lens == simulation("model_b").lens
    assert mine.camera == simulation("hst").camera.model_copy(update={"pixels": 40})


def test_presets_that_build_on_each_other_are_refused(tmp_path, monkeypatch):
    for name, below in {"one": "[model_a, two]", "two": "[three]", "three": "one", "model_a": "[]"}.items():
        (tmp_path / f"{name}.yaml").write_text(f"preset: {below}")
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    with pytest.raises(ConfigError, match=r"'one' builds on itself \(one -> two -> three -> one\)"):
        preset_simulation("one")


def test_an_unknown_preset_in_a_list_is_refused_with_the_nearest():
    with pytest.raises(ConfigError, match=r"unknown preset 'eucild'.*Did you mean 'euclid'\?"):
        preset_simulation("model_a", "eucild")


# --- against PyAutoLens ----------------------------------------------------------------------------------------------


def small(camera):
    """Few pixels and equal rays everywhere: over the ring, however small the pixels."""
    scale = max(camera.pixel_scale_arcsec, 0.15)
    return camera.model_copy(
        update={"pixels": 24, "pixel_scale_arcsec": scale, "error_sigma": None, "over_sampling": 2}
    )


ALL = [*RAW, "model_c+hst+tnfw_subhalos+subhalo", "model_c+power_law", "model_c+real_sources"]


@pytest.mark.parametrize(("name", "cls"), of_all_classes(ALL))
def test_images_in_float32_agree_with_pyautolens_in_float64(name, cls):
    if cls == "smooth" and name in OVERLAYS and name not in (*CAMERAS, "power_law", "real_sources"):
        name = "model_a"  # the overlay says nothing of it; its own images are those of model A
    camera, scenes = small(simulation(name).camera), sampled(name, cls, 3)
    rendered = render.renderer(camera, cls)(scenes)
    assert np.all(rendered["rays"] == 2)
    for k in range(3):
        expected = reference.image(camera, cls, scenes, k, 2)
        assert expected.max() > 0
        assert np.abs(rendered["image"][k] - expected).max() < 1e-5 * expected.max()


# --- over-sampling ---------------------------------------------------------------------------------------------------

RAYS = 32
"""Rays per pixel side of the reference, everywhere."""
CLASSES_THAT_NEED_RAYS = [
    ("model_a", "smooth", 6),
    ("model_a", "cdm", 6),
    ("model_a", "vortex", 6),
    ("model_b", "cdm", 6),
    ("model_c", "smooth", 4),
    ("model_c", "cdm", 4),
    ("model_c+power_law", "smooth", 4),
    ("model_a+power_law", "cdm", 4),
    ("model_c+real_sources", "cdm", 4),
    ("tnfw_subhalos", "cdm", 2),
    ("steep_subhalos", "cdm", 4),
    ("subhalo", "subhalo", 6),
    ("euclid", "cdm", 3),
    ("euclid", "vortex", 3),
    ("lsst", "cdm", 6),
    ("lsst", "vortex", 6),
    ("hst", "cdm", 2),
    ("roman", "vortex", 2),
    ("line_of_sight", "line_of_sight", 4),
    ("morphology_a", "cdm", 2),
    ("morphology_b", "vortex", 2),
]


def uniform(camera, cls, scenes, k):
    """Image k at 32 x 32 rays in each pixel: all light, and what is subtracted of it.

    The cusp of a lens galaxy's light needs more, or this would err by 0.1 sigma: 512 x 512 in the central pixels.
    """
    n, scale = render.padded_pixels(camera), camera.pixel_scale_arcsec
    p = {part: {name: c[k] for name, c in columns.items()} for part, columns in ray_tracing.parameters(scenes).items()}

    def means(surface, count, rays):  # traced with the rays as arguments: as constants, XLA would compile for long
        p32 = jax.tree.map(np.float32, p)
        rays_of = np.asarray(compiled(surface, cls)(p32, *grids.grid(count * rays, count * scale)), np.float64)
        return rays_of.reshape(count, rays, count, rays).mean(axis=(1, 3))

    def observed(surface, cusp):
        image = means(surface, n, RAYS)
        if cusp is not None:
            centre = slice(n // 2 - 2, n // 2 + 2)
            image[centre, centre] += means(cusp, 4, 16 * RAYS) - means(cusp, 4, RAYS)
        electrons = cameras.electrons_per_flux(scenes.lens)[k] * scale**2
        return electrons * signal.fftconvolve(image, cameras.psf_kernels(camera, scenes.lens)[0], mode="valid")

    light, modelled = "light_sersic_index" in scenes.lens, "subtraction_radius_ratio" in scenes.lens
    return {
        "image": observed("brightness", "lens_light" if light else None),
        "subtracted": observed("subtracted_light", "subtracted_light") if modelled else np.zeros((camera.pixels,) * 2),
    }


@cache
def compiled(surface, cls):
    function = getattr(ray_tracing, surface)
    if surface == "brightness":
        module = substructure_classes.module(cls)
        return jax.jit(lambda p, y, x: function(p, module, y, x, jnp))
    return jax.jit(lambda p, y, x: function(p["lens"], y, x, jnp))


@cache
def numerical_errors(name, cls, count, adaptive=True):
    """The worst pixel of each image in units of its noise, with and without subtraction, and the rays."""
    camera = simulation(name).camera
    camera = camera.model_copy(update={"pixels": min(camera.pixels, 64)})
    scenes, expected = (
        sampled(name, cls, count),
        [uniform(camera, cls, sampled(name, cls, count), k) for k in range(count)],
    )
    fine = {part: np.stack([e[part] for e in expected]) for part in expected[0]}
    q = scenes.lens
    read = q.get("read_noise_electrons", np.zeros(count))
    given = (column[:, None, None] for column in (q["exposure_s"], cameras.sky(camera, q), read))
    sigma = cameras.noise_sigma(fine["image"], *given)
    if not adaptive:
        camera = camera.model_copy(update={"error_sigma": None})
    ours = render.renderer(camera, cls)(scenes)
    left = ours["image"] - ours.get("subtracted", 0) - (fine["image"] - fine["subtracted"])
    return np.abs(ours["image"] - fine["image"]) / sigma, np.abs(left) / sigma, ours["rays"]


@pytest.mark.parametrize(("name", "cls", "count"), CLASSES_THAT_NEED_RAYS)
def test_the_numerical_error_is_a_tenth_of_the_noise_at_most(name, cls, count):
    error, left, rays = numerical_errors(name, cls, count)
    assert error.max() < 0.1
    assert left.max() < 0.1
    base = simulation(name).camera.over_sampling
    assert set(np.unique(rays)) <= {base * times for times in (1, *(times for times, _ in render.REFINEMENTS))}
    assert 0 < (rays > base).mean(axis=(1, 2)).max() < 0.25


# Measured over 24 images: 1.0, 1.2, 5.6, 5.7 and 5.6 sigma.
@pytest.mark.parametrize(
    ("name", "cls", "count"), [("model_a", "cdm", 6), ("model_c", "smooth", 4), ("lsst", "cdm", 6)]
)
def test_without_further_rays_the_error_would_matter(name, cls, count):
    error, _, rays = numerical_errors(name, cls, count, adaptive=False)
    assert np.all(rays == simulation(name).camera.over_sampling)
    assert error.max() > 0.3
