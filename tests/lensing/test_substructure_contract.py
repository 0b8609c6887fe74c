"""What every class of substructure keeps, on arrival of its file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

import oddlens
from oddlens.config.presets import PRESETS, preset_simulation
from oddlens.lensing import render, scene, substructure_classes
from oddlens.schema.section import Section

PACKAGE = Path(oddlens.__file__).parent
CLASSES = substructure_classes.names()
SIMULATION = preset_simulation("model_a", *(name for name in CLASSES if (PRESETS / f"{name}.yaml").exists()))
COUNT = 3
HEAVIEST = 1e12
LENS = scene.draw_scenes(SIMULATION, 5, "contract", "test", "smooth", np.arange(COUNT)).lens


def priors(cls):
    return substructure_classes.module(cls).Priors.model_validate(SIMULATION.substructure.get(cls, {}))


def uniforms(cls, seed=0):
    return np.random.default_rng(seed).uniform(
        1e-9, 1, (COUNT, substructure_classes.module(cls).uniforms(priors(cls), HEAVIEST))
    )


def sampled(cls, seed=0):
    return substructure_classes.module(cls).draw(priors(cls), uniforms(cls, seed), LENS)


def total_area(q):
    """The area of all the substructure of each image: sums of the columns `*_area`."""
    columns = [column.reshape(COUNT, -1).sum(axis=1) for name, column in q.items() if name.endswith("_area")]
    return np.sum(columns, axis=0) if columns else np.zeros(COUNT)


def deflections(cls, k, y, x, xp=np):
    q = {name: column[k] for name, column in sampled(cls).items()}
    return substructure_classes.module(cls).deflections(q, y, x, xp)


def rays(count=200):
    return np.random.default_rng(1).uniform(-3, 3, (2, count))


def test_names_are_the_files_of_the_folder():
    files = {file.stem for file in (PACKAGE / "lensing" / "substructure").iterdir() if file.suffix == ".py"}
    assert set(CLASSES) == files - {"__init__"}
    assert CLASSES[0] == "smooth"
    assert len(CLASSES) == len(set(CLASSES))


def test_a_new_file_is_a_new_class(tmp_path):
    shutil.copytree(PACKAGE, tmp_path / "oddlens", ignore=shutil.ignore_patterns("__pycache__"))
    folder = tmp_path / "oddlens" / "lensing" / "substructure"
    shutil.copy(folder / "vortex.py", folder / "string.py")
    (folder / "_helper.py").touch()
    code = f"""
import yaml, numpy as np
from oddlens.lensing import scene, substructure_classes
from oddlens.lensing.simulation import Simulation
raw = yaml.safe_load(open({str(PRESETS / "model_a.yaml")!r}))
raw["substructure"] = {{"string": raw["substructure"]["vortex"]}}
sampled = scene.draw_scenes(Simulation.model_validate(raw), 1, "d", "test", "string", np.arange(2))
print(*substructure_classes.names(), *sampled.substructure)
"""
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert found[: len(CLASSES) + 1] == ["smooth", *sorted([*CLASSES[1:], "string"])]
    assert "vortex_area" in found


@pytest.mark.parametrize("cls", CLASSES)
def test_priors_are_a_section(cls):
    assert issubclass(substructure_classes.module(cls).Priors, Section)


@pytest.mark.parametrize("cls", CLASSES)
def test_uniforms_is_a_count(cls):
    count = substructure_classes.module(cls).uniforms(priors(cls), HEAVIEST)
    assert isinstance(count, int)
    assert count >= 0


@pytest.mark.parametrize("cls", CLASSES)
def test_draw_gives_finite_columns(cls):
    for name, column in sampled(cls).items():
        assert column.dtype == np.float64, name
        assert column.shape[0] == COUNT, name
        assert column.ndim in (1, 2), name
        assert np.isfinite(column).all(), name


@pytest.mark.parametrize("cls", CLASSES)
def test_draw_depends_on_its_numbers_alone(cls):
    first, again, other = sampled(cls), sampled(cls), sampled(cls, seed=1)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not first or any(not np.array_equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("cls", CLASSES)
def test_draw_treats_each_image_alone(cls):
    module = substructure_classes.module(cls)
    alone = module.draw(priors(cls), uniforms(cls)[1:2], {name: column[1:2] for name, column in LENS.items()})
    for name, column in sampled(cls).items():
        np.testing.assert_array_equal(alone[name], column[1:2])


@pytest.mark.parametrize("cls", CLASSES)
def test_extreme_numbers_draw_finite_columns(cls):
    module = substructure_classes.module(cls)
    for u in (1e-16, 1 - 2**-53):
        q = module.draw(priors(cls), np.full((COUNT, module.uniforms(priors(cls), HEAVIEST)), u), LENS)
        assert all(np.isfinite(column).all() for column in q.values())


@pytest.mark.parametrize("cls", CLASSES)
def test_enclosed_grows_from_nothing_to_all(cls):
    q, module = sampled(cls), substructure_classes.module(cls)
    areas = [module.enclosed(q, np.full(COUNT, radius)) for radius in (1e-6, 0.5, 1.0, 1.66, 1e7)]
    assert all(area.shape == (COUNT,) for area in areas)
    assert np.all(np.diff(areas, axis=0) >= -1e-12)
    np.testing.assert_allclose(areas[0], 0, atol=1e-5)
    np.testing.assert_allclose(areas[-1], total_area(q), rtol=1e-7)


# A softened mass spreads a little over the circle, which `enclosed` may leave out.
@pytest.mark.parametrize("radius", [0.7, 1.66, 6.0])
@pytest.mark.parametrize("cls", CLASSES)
def test_deflections_hold_the_enclosed_mass(cls, radius):
    angle = 2 * np.pi * (np.arange(1 << 15) + 0.5) / (1 << 15)
    enclosed = substructure_classes.module(cls).enclosed(sampled(cls), np.full(COUNT, radius))
    for k in range(COUNT):
        alpha_y, alpha_x = deflections(cls, k, radius * np.sin(angle), radius * np.cos(angle))
        flux = radius * np.mean(alpha_y * np.sin(angle) + alpha_x * np.cos(angle))
        assert flux == pytest.approx(enclosed[k], abs=1e-3 * LENS["area"][k])


@pytest.mark.parametrize("cls", CLASSES)
def test_deflections_are_finite_and_shaped_as_the_rays(cls):
    y, x = rays()
    for k in range(COUNT):
        alpha = deflections(cls, k, y, x)
        assert [a.shape for a in alpha] == [y.shape, x.shape]
        assert np.isfinite(alpha).all()


@pytest.mark.parametrize("cls", CLASSES)
def test_deflections_are_a_gradient(cls):
    (y, x), step = rays(), 1e-5
    for k in range(COUNT):
        y_dx = (deflections(cls, k, y, x + step)[0] - deflections(cls, k, y, x - step)[0]) / (2 * step)
        x_dy = (deflections(cls, k, y + step, x)[1] - deflections(cls, k, y - step, x)[1]) / (2 * step)
        np.testing.assert_allclose(y_dx, x_dy, atol=1e-5)


@pytest.mark.parametrize("cls", CLASSES)
def test_jax_deflects_as_numpy(cls):
    y, x = rays()
    with jax.enable_x64(True):
        for k in range(COUNT):
            traced = jax.jit(lambda y, x, k=k: deflections(cls, k, y, x, jax.numpy))(y, x)
            np.testing.assert_allclose(traced, deflections(cls, k, y, x), atol=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_truth_is_one_finite_number_an_image(cls):
    for name, column in substructure_classes.module(cls).truth(sampled(cls), LENS).items():
        assert column.shape == (COUNT,), name
        assert np.isfinite(column).all(), name


@pytest.mark.parametrize("cls", CLASSES)
def test_truth_states_the_mass_of_the_areas(cls):
    q = sampled(cls)
    mass = substructure_classes.module(cls).truth(q, LENS).get("substructure_mass_msun", np.zeros(COUNT))
    own_plane = next((column for name, column in q.items() if name.endswith("area_per_msun")), LENS["area_per_msun"])
    np.testing.assert_allclose(mass * own_plane, total_area(q), rtol=1e-12)


@pytest.mark.parametrize("cls", CLASSES)
def test_a_scene_of_the_class_renders(cls):
    psf = SIMULATION.camera.psf.model_copy(update={"pixels": 3})
    camera = SIMULATION.camera.model_copy(update={"pixels": 8, "over_sampling": 1, "error_sigma": None, "psf": psf})
    scenes = scene.draw_scenes(SIMULATION, 5, "contract", "test", cls, np.arange(COUNT))
    rendered = render.renderer(camera, cls)(scenes)
    assert rendered.keys() == {"image", "rays"}
    assert rendered["image"].shape == (COUNT, 8, 8)
    assert rendered["rays"].shape == (COUNT, 10, 10)
    assert np.isfinite(rendered["image"]).all()
