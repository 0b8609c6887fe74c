"""What every detector must keep, on arrival: the folder is the registry, so a new file is tested by being there."""

import random

import numpy as np
import pytest
import torch

from oddlens import detectors, settings
from oddlens.detectors.base import Detector
from oddlens.metrics import auc_with_variance

NAMES = settings.detectors()
PIXELS = 16
TRAINING = {"epochs": 4, "batch_size": 32}
BLIND = {"random", "flux"}
"""Controls that cannot learn."""


def toy(count, odd=0.0, seed=0):
    """Rings of varying radius and brightness; a fraction has a gap, its flux spread over the rest."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:PIXELS, :PIXELS] - (PIXELS - 1) / 2
    radius = rng.uniform(4, 6, (count, 1, 1))
    ring = np.exp(-0.5 * ((np.hypot(y, x) - radius) / 1.2) ** 2) * rng.uniform(0.8, 1.2, (count, 1, 1))
    angle = rng.uniform(0, 2 * np.pi, (count, 1, 1))
    gap = np.cos(np.arctan2(y, x) - angle) > 0.7
    broken = ring * ~gap
    broken *= ring.sum((1, 2), keepdims=True) / broken.sum((1, 2), keepdims=True)
    chosen = np.arange(count)[:, None, None] < odd * count
    return (np.where(chosen, broken, ring) + rng.normal(0, 0.03, ring.shape)).astype(np.float32)


def fitted(name, seed=1, checkpoint=None, **training) -> Detector:
    model = detectors.detector(name).build(PIXELS, seed=seed)
    model.fit(toy(200), seed=seed, training={**TRAINING, **training}, checkpoint=checkpoint)
    return model


@pytest.fixture(scope="module", params=NAMES)
def trained(request):
    return request.param, fitted(request.param)


def test_the_folder_is_the_registry():
    assert {"dcae", "rbm", "pca", "flux", "random"} <= set(NAMES)
    assert "base" not in NAMES
    assert "blocks" not in NAMES


def test_scores_are_one_finite_float_each(trained):
    _, model = trained
    scores = model.score(toy(7))
    assert scores.shape == (7,)
    assert scores.dtype == np.float32
    assert np.isfinite(scores).all()


def test_equal_seeds_give_equal_scores_and_others_do_not(trained):
    name, model = trained
    images = toy(20)
    assert (fitted(name).score(images) == model.score(images)).all()
    if model.objectives():
        assert (fitted(name, seed=2).score(images) != model.score(images)).any()


def test_saved_and_loaded_scores_are_equal(trained, tmp_path):
    _, model = trained
    model.save(tmp_path / "m.safetensors", cell="none-0")
    loaded, about = detectors.load(tmp_path / "m.safetensors")
    assert (loaded.score(toy(20)) == model.score(toy(20))).all()
    assert about == {"cell": "none-0"}


def test_a_score_does_not_depend_on_its_neighbours(trained):
    _, model = trained
    images = toy(300, odd=0.5)
    together = model.score(images)
    assert (model.score(images[::-1])[::-1] == together).all()
    assert (model.score(images[17:18]) == together[17:18]).all()
    assert (model.score(np.concatenate([images[:5], 100 * images[5:9]]))[:5] == together[:5]).all()


def test_an_interrupted_training_goes_on_to_equal_scores(trained, tmp_path):
    name, model = trained
    if not model.objectives():
        pytest.skip(f"{name} is not trained by epochs")
    path = tmp_path / "checkpoint"

    def interrupt(record):
        if record.epoch == 2:
            raise KeyboardInterrupt

    training, epochs = {**TRAINING, "checkpoint_s": 0}, []
    started = detectors.detector(name).build(PIXELS, seed=1)
    with pytest.raises(KeyboardInterrupt):
        started.fit(toy(200), seed=1, training=training, checkpoint=path, on_epoch=interrupt)
    resumed = detectors.detector(name).build(PIXELS, seed=1)
    resumed.fit(toy(200), seed=1, training=training, checkpoint=path, on_epoch=lambda r: epochs.append(r.epoch))
    assert epochs == [3, 4]
    assert (resumed.score(toy(20)) == model.score(toy(20))).all()


def test_globals_are_left_as_found(trained):
    name, _ = trained
    before = (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate(), torch.is_grad_enabled())
    model = fitted(name, epochs=1)
    after = (torch.get_rng_state(), np.random.get_state()[1], random.getstate(), torch.is_grad_enabled())
    assert torch.equal(before[0], after[0])
    assert (before[1] == after[1]).all()
    assert before[2:] == after[2:]
    assert all(p.requires_grad for p in model.parameters())


def test_training_moves_every_parameter(trained):
    name, model = trained
    fresh = dict(detectors.detector(name).build(PIXELS, seed=1).named_parameters())
    still = [key for key, parameter in model.named_parameters() if torch.equal(parameter, fresh[key])]
    assert not still


def test_the_interface_is_not_overridden(trained):
    _, model = trained
    for method in ("fit", "score", "save", "build", "reconstructed"):
        assert method not in vars(type(model))


@pytest.mark.parametrize("name", sorted(set(NAMES) - BLIND))
def test_broken_rings_are_odder_than_whole_ones(name):
    model = detectors.detector(name).build(PIXELS, seed=1)
    model.fit(toy(1500), seed=1, training={"epochs": 15, "batch_size": 32})
    auc, _ = auc_with_variance(model.score(toy(150, seed=5)), model.score(toy(150, odd=1, seed=6)))
    assert auc > 0.8


def test_random_knows_nothing_and_flux_knows_flux():
    images = toy(400)
    noise = fitted("random").score(images)
    assert 0.4 < noise.mean() < 0.6
    assert abs(np.corrcoef(noise, images.sum((1, 2)))[0, 1]) < 0.2
    assert np.corrcoef(fitted("flux").score(images), images.sum((1, 2)))[0, 1] > 0.999


def test_reconstructions_have_the_images_units(trained):
    _, model = trained
    images = 50 * toy(30)
    model = type(model).build(PIXELS, seed=1)
    model.fit(50 * toy(400), seed=1, training={"epochs": 12, "batch_size": 32})
    rebuilt = model.reconstructed(images)
    if rebuilt is not None:
        assert rebuilt.shape == images.shape
        assert np.corrcoef(rebuilt.ravel(), images.ravel())[0, 1] > 0.8
        assert 0.5 < rebuilt.mean() / images.mean() < 2


@pytest.mark.parametrize(
    ("images", "told"),
    [
        (np.zeros((3, 8, 8)), r"\(3, 8, 8\).*16, 16"),
        (np.zeros((PIXELS, PIXELS)), "shape"),
        (np.full((3, PIXELS, PIXELS), np.nan), "not finite"),
        (np.zeros((0, PIXELS, PIXELS)), "no images"),
    ],
)
def test_wrong_images_are_refused(images, told):
    with pytest.raises(ValueError, match=told):
        fitted("flux").score(images)
