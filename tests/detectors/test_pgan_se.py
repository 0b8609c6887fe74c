"""The losses of `pgan_se` against closed forms, where critic, generator and encoder are linear."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from oddlens.detectors.interface import loading
from oddlens.detectors.interface.image_module import KnownCamera
from oddlens.training.objectives import Batch

PIXELS, COUNT = 8, 6
TRAINING = {"epochs": 2, "batch_size": 16}


def images(count=64, seed=0):
    """Spots of varying width."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:PIXELS, :PIXELS] - (PIXELS - 1) / 2
    spot = np.exp(-(x**2 + y**2) / rng.uniform(2, 8, (count, 1, 1)))
    return (spot + rng.normal(0, 0.03, spot.shape)).astype(np.float32)


def fitted(**settings):
    small = {"latent": 3, "width": 16, "depth": 1}
    model = loading.detector("pgan_se").build(PIXELS, seed=1, **small | settings)
    history = model.fit(images(), seed=1, training=TRAINING, camera=KnownCamera(0.0, 0.03**2, 2.0))
    return model, history


class Linear(nn.Module):
    def __init__(self, matrix):
        super().__init__()
        self.matrix = matrix

    def forward(self, x):
        return x @ self.matrix


@pytest.fixture
def linear():
    """A model whose three networks are linear, its batch, and what they make of it; without noise of the camera."""

    def made(**settings):
        model, _ = fitted(noise="generated", **settings)
        rng = torch.Generator().manual_seed(3)
        normalised = model.normalise(torch.from_numpy(images(COUNT, 5))[:, None] / model.scale)
        real = model.autoencoder.coordinates(normalised)
        count = real.shape[1]
        model.critic = Linear(torch.randn((count, 1), generator=rng) / math.sqrt(count) * 1.7)
        model.generator = Linear(torch.randn((3, count), generator=rng))
        model.encoder = Linear(torch.zeros(count, 3))
        batch = Batch(normalised, None, torch.Generator().manual_seed(7), 0.5, None)
        codes = model.prior.sample(COUNT, torch.Generator().manual_seed(7))
        return model, batch, real, codes, codes @ model.generator.matrix

    return made


def test_the_critic_of_wasserstein_is_held_to_slope_one_and_near_zero(linear):
    model, batch, real, _, drawn = linear()
    slope = model.critic.matrix
    wanted = (drawn @ slope).mean() - (real @ slope).mean()
    wanted += 10 * (slope.norm() - 1) ** 2 + 1e-3 * (real @ slope).square().mean()
    torch.testing.assert_close(model._critic_loss(batch), wanted)


def test_the_generator_wants_what_the_critic_takes_for_real(linear):
    model, batch, _, _, drawn = linear()
    torch.testing.assert_close(model._generator_loss(batch), -(drawn @ model.critic.matrix).mean())


def test_the_saturating_losses_are_log_probabilities(linear):
    model, batch, real, _, drawn = linear(adversary="saturating")
    of_real, of_fake = (torch.sigmoid(x @ model.critic.matrix) for x in (real, drawn))
    torch.testing.assert_close(model._critic_loss(batch), -(of_real.log() + (1 - of_fake).log()).mean())
    batch.generator.manual_seed(7)
    torch.testing.assert_close(model._generator_loss(batch), (1 - of_fake).log().mean())


@pytest.mark.parametrize("cycle", ["image", "latent", "both"])
@pytest.mark.parametrize("real_weight", [0.0, 3.0])
def test_codes_and_images_come_back_at_their_price(linear, cycle, real_weight):
    """An encoder that says zero loses all of both."""
    model, batch, real, codes, drawn = linear(cycle=cycle, real_weight=real_weight, cycle_weight=2, prior_scale=5)
    wanted = 2.0 * (cycle != "latent") * drawn.abs().mean()
    wanted = wanted + 2.0 * (cycle != "image") * codes.square().mean() / 25
    unit = model.autoencoder.coordinates.unit
    wanted = wanted + (real_weight * (real * unit).square().mean(dim=1) if real_weight else 0)
    found = model._encoder_loss(batch)
    assert found.shape == ((COUNT,) if real_weight else ())
    torch.testing.assert_close(found, wanted)


def test_an_encoder_that_inverts_the_generator_loses_what_that_cannot_draw(linear):
    model, batch, real, _, _ = linear(cycle="both", real_weight=1)
    model.encoder.matrix = torch.linalg.pinv(model.generator.matrix)
    unit, there = model.autoencoder.coordinates.unit, model.encoder.matrix @ model.generator.matrix
    wanted = ((real - real @ there) * unit).square().mean(dim=1)
    torch.testing.assert_close(model._encoder_loss(batch), wanted, rtol=1e-3, atol=1e-4)


def test_together_is_the_sum(linear):
    model, batch, *_ = linear()
    parts = []
    for loss in (model._generator_loss, model._encoder_loss, model._joint_loss):
        batch.generator.manual_seed(7)
        parts.append(loss(batch))
    torch.testing.assert_close(parts[0] + parts[1], parts[2])


def test_what_scores_is_the_running_average():
    model, _ = fitted(average=0.75)
    before = [p.clone() for p in model.autoencoder.parameters()]
    model._update_averages(None)
    now = [*model.encoder.parameters(), *model.generator.parameters()]
    for old, new, current in zip(before, model.autoencoder.parameters(), now, strict=True):
        torch.testing.assert_close(new, 0.75 * old + 0.25 * current)


def test_only_a_joint_encoder_moves_the_generator():
    def drawn(**settings):
        return fitted(**settings)[0].generator.state_dict()

    alone, other = (drawn(joint=False, cycle_weight=weight) for weight in (0.0, 9.0))
    assert all(torch.equal(alone[name], other[name]) for name in alone)
    alone, other = (drawn(cycle_weight=weight) for weight in (0.0, 9.0))
    assert any(not torch.equal(alone[name], other[name]) for name in alone)


def test_an_encoder_that_comes_afterwards_is_trained_when_the_generator_is_done():
    _, history = fitted(encoder="afterwards", joint=False, expectation=False, score="matched")
    assert [value is None for value in history["generator"]] == [False, False, True, True]
    assert [value is None for value in history["encoder"]] == [True, True, False, False]


def test_without_an_adversary_an_autoencoder_is_left():
    model, history = fitted(adversary="none")
    assert "critic" not in history
    assert np.isfinite(model.score(images(20, 1))).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoder": "afterwards"}, "set joint: false"),
        ({"adversary": "none", "score": "features"}, "adversary: none has none"),
        ({"prior": "clustered", "latent": 10}, "latent > 10, not 10"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        loading.detector("pgan_se").build(PIXELS, **settings)


def test_a_combined_score_is_the_sum_of_its_parts_in_their_scatter():
    """Whatever the score of the row that was trained: rows that differ in it share their models."""
    models = {score: fitted(score=score)[0] for score in ("error", "matched", "features", "norm", "combined")}
    shared = models["error"].state_dict()
    for model in models.values():
        model.load_state_dict(shared)
    test = images(50, 2)
    parts = np.stack([models[score].score(test) for score in ("matched", "features", "norm")])
    mean, deviation = shared["moments"].numpy().T[:, :, None]
    np.testing.assert_allclose(models["combined"].score(test), ((parts - mean) / deviation).sum(axis=0), rtol=1e-3)
    own = np.stack([models[score].score(images()) for score in ("matched", "features", "norm")])
    np.testing.assert_allclose(own.mean(axis=1), mean[:, 0], rtol=1e-3)


@pytest.mark.parametrize("robust", ["trim", "loe_soft"])
def test_a_remedy_without_losses_to_rank_by_is_refused(robust):
    model = loading.detector("pgan_se").build(PIXELS, seed=1, latent=3, width=16, depth=1, real_weight=0)
    with pytest.raises(ValueError, match=rf"training\.robust: {robust} ranks images by their losses"):
        model.fit(images(), seed=1, training=TRAINING | {"robust": robust})
