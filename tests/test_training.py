import pytest
import torch
from torch import nn

from oddlens.training import Objective, global_generators, train


def line(**changes):
    """y = w x, drawn to w = 3."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)

    def loss(batch, generator):
        return (model(batch) - 3 * batch).square().mean()

    return model, Objective("fit", (model,), changes.get("loss", loss), changes.get("rate", lambda p: 0.1))


def data(count=64):
    return torch.randn(count, 1, generator=torch.Generator().manual_seed(0))


def test_the_loop_minimises():
    model, objective = line()
    history = train(model, [objective], data(), seed=1, epochs=60, batch_size=16)
    assert model.weight.item() == pytest.approx(3, abs=0.05)
    assert len(history["fit"]) == 60
    assert history["fit"][-1] < 1e-2 * history["fit"][0]


def test_each_objective_trains_its_own_networks_alone():
    one, two = nn.Linear(1, 1), nn.Linear(1, 1)
    before = one.weight.item()
    objective = Objective("two", (two,), lambda batch, g: (two(one(batch)) - 1).square().mean(), lambda p: 0.1)
    train(nn.ModuleList([one, two]), [objective], data(), seed=1, epochs=2, batch_size=16)
    assert one.weight.item() == before
    assert one.weight.grad is None


def test_a_loss_that_is_not_finite_names_its_objective():
    model, objective = line(loss=lambda batch, g: model_loss(batch))

    def model_loss(batch):
        return model.weight.sum() * float("nan")

    with pytest.raises(FloatingPointError, match=r"'fit' became nan in epoch 1.*gradient_clip"):
        train(model, [objective], data(), seed=1, epochs=3, batch_size=16)


def test_the_learning_rate_sees_progress_from_zero_to_nearly_one():
    seen = []
    model, objective = line(rate=lambda p: seen.append(p) or 0.1)
    train(model, [objective], data(), seed=1, epochs=3, batch_size=16)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(11 / 12)


def test_a_batch_larger_than_the_data_is_the_data():
    model, objective = line()
    assert len(train(model, [objective], data(5), seed=1, epochs=2, batch_size=100)["fit"]) == 2


def test_clipping_bounds_the_gradient():
    norms = []
    model, objective = line()
    hook = torch.optim.Optimizer.step

    def watch(self, *a, **k):
        norms.append(model.weight.grad.norm().item())
        return hook(self, *a, **k)

    torch.optim.Adam.step, kept = watch, torch.optim.Adam.step
    try:
        hook = kept
        train(model, [objective], 100 * data(), seed=1, epochs=1, batch_size=16, gradient_clip=0.5)
    finally:
        torch.optim.Adam.step = kept
    assert max(norms) <= 0.5 + 1e-6


def test_bfloat16_trains_too():
    model, objective = line()
    train(model, [objective], data(), seed=1, epochs=60, batch_size=16, precision="bfloat16")
    assert model.weight.item() == pytest.approx(3, abs=0.1)


def test_records_tell_epoch_losses_rate_and_time_left():
    records = []
    model, objective = line()
    train(model, [objective], data(), seed=1, epochs=2, batch_size=16, on_epoch=records.append)
    assert "epoch 2/2  fit " in str(records[-1])
    assert "images/s, 0s left" in str(records[-1])


def test_a_checkpoint_of_the_last_epoch_trains_no_more(tmp_path):
    model, objective = line()
    history = train(model, [objective], data(), seed=1, epochs=2, batch_size=16, checkpoint=tmp_path / "c")
    again, objective = line()
    assert train(again, [objective], data(), seed=1, epochs=2, batch_size=16, checkpoint=tmp_path / "c") == history
    assert torch.equal(again.weight, model.weight)


def test_a_damaged_checkpoint_starts_the_training_anew(tmp_path):
    model, objective = line()
    settings = {"seed": 1, "epochs": 2, "batch_size": 16, "checkpoint": tmp_path / "c"}
    history = train(model, [objective], data(), **settings)
    content = (tmp_path / "c").read_bytes()
    (tmp_path / "c").write_bytes(content[: len(content) // 2])
    again, objective = line()
    assert train(again, [objective], data(), **settings) == history
    assert torch.equal(again.weight, model.weight)


def test_seeded_blocks_repeat_and_put_the_state_back():
    before = torch.get_rng_state()
    with global_generators(7):
        first = torch.rand(3)
    with global_generators(7):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)
