import dataclasses
import importlib.util
import multiprocessing
import signal
import time

import numpy as np
import pytest
import torch
from torch import nn

from conftest import ROOT
from oddlens.config.training import Training
from oddlens.detectors.interface import loading
from oddlens.files.tensors import read_tensors, write_tensors
from oddlens.training import checkpoints
from oddlens.training import images as image_sets
from oddlens.training.devices import global_generators
from oddlens.training.images import TrainingImages
from oddlens.training.loop import N_KNOWN_ANOMALIES, Trainer, TrainingSettings
from oddlens.training.objectives import Objective
from oddlens.training.robust import mean_loss


def line(**changes):
    """y = w x, drawn to w = 3."""
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)

    def loss(batch):
        return (model(batch.images) - 3 * batch.images).square().mean(dim=(1, 2, 3))

    return model, Objective("fit", (model,), changes.get("loss", loss), changes.get("rate", lambda p: 0.1))


def train(model, objectives, images, *, seed=1, checkpoint=None, on_epoch=None, **settings):
    """The history of a training."""
    files = {"checkpoint": checkpoint, "on_epoch": on_epoch}
    return Trainer(model, objectives, images, seed=seed, settings=TrainingSettings(**settings), **files).run()


def data(count=64, factor=1.0):
    """Images of one pixel."""
    pixels = factor * np.random.default_rng(0).normal(size=(count, 1, 1)).astype(np.float32)
    return TrainingImages(pixels, np.arange(count), None, "cpu")


def test_the_loop_minimises():
    model, objective = line()
    history = train(model, [objective], data(), seed=1, epochs=60, batch_size=16)
    assert model.weight.item() == pytest.approx(3, abs=0.05)
    assert len(history["fit"]) == 60
    assert history["fit"][-1] < 1e-2 * history["fit"][0]


def test_each_objective_trains_its_own_networks_alone():
    one, two = nn.Linear(1, 1), nn.Linear(1, 1)
    before = one.weight.item()
    objective = Objective("two", (two,), lambda batch: (two(one(batch.images)) - 1).square().mean(), lambda p: 0.1)
    train(nn.ModuleList([one, two]), [objective], data(), seed=1, epochs=2, batch_size=16)
    assert one.weight.item() == before
    assert one.weight.grad is None


def test_a_loss_that_is_not_finite_names_its_objective():
    model, objective = line(loss=lambda batch: model_loss(batch))

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


def test_a_stage_begins_when_the_one_before_is_done():
    first, second = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    seen = {"first": [], "second": []}

    def objective(name, network, **more):
        def loss(batch):
            seen[name].append((batch.progress, first.weight.item()))
            return (network(batch.images) - 3 * batch.images).square().mean()

        return Objective(name, (network,), loss, lambda p: 0.1, **more)

    objectives = [objective("first", first), objective("second", second, stage=1, share=0.5)]
    history = train(nn.ModuleList([first, second]), objectives, data(), seed=1, epochs=5, batch_size=16)
    assert [x is None for x in history["first"]] == [False] * 5 + [True] * 3
    assert [x is None for x in history["second"]] == [True] * 5 + [False] * 3
    assert [progress for progress, _ in seen["first"]] == pytest.approx([k / 20 for k in range(20)])
    assert [progress for progress, _ in seen["second"]] == pytest.approx([k / 12 for k in range(12)])
    assert len({weight for _, weight in seen["second"]}) == 1, "the first stage is over"


def test_parts_that_have_not_grown_stay_as_they_are():
    model = nn.ModuleList([nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)])
    before = model[1].weight.item()

    def objective(growing):
        return Objective("fit", (model,), lambda b: model[0](b.images).square().mean(), lambda p: 0.1, growing=growing)

    train(model, [objective(growing=True)], data(), seed=1, epochs=1, batch_size=16)
    assert model[1].weight.item() == before
    with pytest.raises(RuntimeError, match="not have been used"):
        train(model, [objective(growing=False)], data(), seed=1, epochs=1, batch_size=16)


def test_something_may_be_done_after_each_step():
    weights = []
    model, objective = line()
    objective = dataclasses.replace(objective, after=lambda batch: weights.append(model.weight.item()))
    train(model, [objective], data(), seed=1, epochs=2, batch_size=16)
    assert len(weights) == len(set(weights)) == 8
    assert weights[-1] == model.weight.item()


def test_a_batch_larger_than_the_data_is_refused():
    model, objective = line()
    with pytest.raises(ValueError, match=r"5 training images are fewer than training\.batch_size = 100"):
        train(model, [objective], data(5), seed=1, epochs=2, batch_size=100)


def test_labels_and_progress_reach_the_loss():
    seen = []
    model = nn.Linear(1, 1)

    def loss(batch):
        seen.append((batch.labels, batch.progress))
        assert (batch.labels == (batch.images[:, 0, 0, 0] > 0)).all()
        return model(batch.images).square().mean()

    pixels = data()[slice(0, 64)].numpy()[:, 0]
    images = TrainingImages(pixels, np.arange(64), pixels[:, 0, 0] > 0, "cpu")
    train(model, [Objective("fit", (model,), loss, lambda p: 0.1)], images, seed=1, epochs=2, batch_size=16)
    assert [p for _, p in seen] == [k / 8 for k in range(8)]


def test_every_batch_has_known_anomalies():
    pixels = np.arange(40, dtype=np.float32)[:, None, None]
    images = TrainingImages(pixels, np.arange(32), None, "cpu", known_anomalies=np.arange(32, 40))
    seen, model = set(), nn.Linear(1, 1)
    images.set_scale(torch.tensor(2.0))

    def loss(batch):
        assert batch.known_anomalies.shape == (N_KNOWN_ANOMALIES, 1, 1, 1)
        assert batch.images.max() < 16
        seen.update((2 * batch.known_anomalies).flatten().tolist())
        return model(batch.images).square().mean()

    train(model, [Objective("fit", (model,), loss, lambda p: 0.1)], images, seed=1, epochs=4, batch_size=16)
    assert seen == set(range(32, 40))


def test_images_are_read_from_a_file_as_they_are_asked_for(tmp_path):
    pixels = np.random.default_rng(0).normal(size=(50, 4, 4)).astype(np.float32)
    mapped = np.memmap(tmp_path / "images", np.float32, "w+", shape=pixels.shape)
    mapped[:] = pixels
    rows = np.array([3, 40, 7, 9])
    images = TrainingImages(mapped, rows, None, "cpu")
    assert images._pool.data_ptr() == mapped.ctypes.data  # no copy
    assert len(images) == 4
    assert np.array_equal(images[torch.tensor([1, 0])].numpy()[:, 0], pixels[[40, 3]])
    assert np.array_equal(torch.cat(list(images.batches(3))).numpy()[:, 0], pixels[rows])
    assert np.array_equal(images.evenly_spaced(2).numpy()[:, 0], pixels[[3, 9]])
    images.scale = torch.tensor(2.0)
    assert np.array_equal(images[slice(0, 2)].numpy()[:, 0], pixels[[3, 40]] / 2)


@pytest.mark.parametrize("kept", [True, False])
def test_images_go_through_a_function_once_or_batch_by_batch(kept, monkeypatch):
    monkeypatch.setattr(image_sets, "MAX_KEPT_BYTES", 10**6 if kept else 0)
    pixels = np.random.default_rng(0).random((1100, 4, 4)).astype(np.float32)
    images = TrainingImages(pixels, np.arange(1, 1099), None, "cpu", known_anomalies=np.array([0, 1099]))
    images.set_scale(torch.tensor(2.0))
    calls = []

    def function(batch):
        calls.append(len(batch))
        return batch.sqrt() + 1

    view = images.through(function)
    for source, rows in ((view, np.arange(1, 1099)), (view.known_anomalies, np.array([0, 1099]))):
        wanted = np.sqrt(pixels[rows] / 2) + 1
        np.testing.assert_allclose(torch.cat(list(source.batches(100)))[:, 0], wanted, rtol=1e-6)
        np.testing.assert_allclose(source[torch.tensor([1, 0])][:, 0], wanted[[1, 0]], rtol=1e-6)
    assert sum(calls) == (1100 if kept else 1100 + 4)
    np.testing.assert_allclose(images[slice(0, 2)][:, 0], pixels[1:3] / 2)  # the images themselves have not changed


@pytest.mark.parametrize(
    ("robust", "expected"),
    [
        ("none", (1 + 2 + 4 + 8) / 4),
        ("refine", (1 + 2 + 4 + 8) / 4),
        ("trim", (1 + 2 + 4) / 3),
        ("loe_hard", (1 + 2 + 4 + 1 / 8) / 4),
        ("loe_soft", (1 + 2 + 4 + 0.5 * 8 + 0.5 / 8) / 4),
    ],
)
def test_the_worst_quarter_gets_what_each_way_gives_it(robust, expected):
    losses = torch.tensor([4.0, 1.0, 8.0, 2.0])
    assert mean_loss(losses, robust, 0.25, epoch=5).item() == pytest.approx(expected)
    assert mean_loss(losses, robust, 0.25, epoch=0).item() == pytest.approx(3.75)  # blind while warming up
    assert mean_loss(losses.mean(), robust, 0.25, epoch=5).item() == pytest.approx(3.75)  # no loss per image


def test_exposure_refuses_losses_that_have_no_inverse():
    with pytest.raises(ValueError, match=r"loe_soft needs a positive loss.*use trim or refine"):
        mean_loss(torch.tensor([1.0, -1.0]), "loe_soft", 0.5, epoch=5)


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
        train(model, [objective], data(factor=100), seed=1, epochs=1, batch_size=16, gradient_clip=0.5)
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


def test_robust_training_goes_on_in_a_stage_whose_loss_ranks_no_images(tmp_path):
    """The first stage has shown that images can be ranked, and a resumed training may not see it again."""

    def objectives(model):
        def loss(batch):
            return (model(batch.images) - 3 * batch.images).square().mean(dim=(1, 2, 3))

        first = Objective("fit", (model,), loss, lambda p: 0.1)
        return [first, Objective("mean", (model,), lambda batch: loss(batch).mean(), lambda p: 0.1, stage=1)]

    def run(**files):
        model, _ = line()
        settings = {"epochs": 2, "batch_size": 16, "robust": "trim", "checkpoint_s": 0}
        return train(model, objectives(model), data(), **settings, **files), model.weight.item()

    def die(record):
        if record.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(checkpoint=tmp_path / "c", on_epoch=die)
    assert run(checkpoint=tmp_path / "c") == run()


def test_robust_training_without_losses_of_images_is_refused():
    model, objective = line(loss=lambda batch: model_loss(batch))

    def model_loss(batch):
        return model(batch.images).square().mean()

    with pytest.raises(ValueError, match=r"training\.robust: trim"):
        train(model, [objective], data(), epochs=2, batch_size=16, robust="trim")


def test_a_checkpoint_of_the_last_epoch_trains_no_more(tmp_path):
    model, objective = line()
    history = train(model, [objective], data(), seed=1, epochs=2, batch_size=16, checkpoint=tmp_path / "c")
    again, objective = line()
    assert train(again, [objective], data(), seed=1, epochs=2, batch_size=16, checkpoint=tmp_path / "c") == history
    assert torch.equal(again.weight, model.weight)


def trained(**given):
    """A short training with two kinds of random numbers: its history, its weight, and how often it told of an epoch."""

    def loss(batch):
        own = torch.rand(len(batch.images), generator=batch.generator)
        return (own + torch.rand(())) * (model(batch.images) - 3 * batch.images).square().mean(dim=(1, 2, 3))

    model, objective = line(loss=loss)
    records = []
    settings = {"seed": 1, "epochs": 3, "batch_size": 16} | given
    history = train(model, [objective], data(), on_epoch=records.append, **settings)
    return history, model.weight.item(), len(records)


def test_a_training_goes_on_from_within_an_epoch_to_equal_losses(tmp_path, monkeypatch):
    saves = iter(range(6))  # four batches an epoch

    def die(*given):
        write_tensors(*given)
        if next(saves, None) is None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(checkpoints, "write_tensors", die)
        trained(checkpoint=tmp_path / "c", checkpoint_s=0)
    header = read_tensors(tmp_path / "c")[1]
    assert (header["epoch"], header["step"]) == (1, 3)
    history, weight, epochs = trained(checkpoint=tmp_path / "c")
    assert (history, weight) == trained()[:2]
    assert epochs == 2


def test_checkpoints_come_by_time_and_at_the_end(tmp_path, monkeypatch):
    now, places = 0, []

    def two_seconds_pass(progress):
        nonlocal now
        now += 2
        return 0.1

    model, objective = line(rate=two_seconds_pass)
    monkeypatch.setattr(checkpoints.time, "perf_counter", lambda: now)
    monkeypatch.setattr(checkpoints, "write_tensors", lambda path, tensors, header: places.append(header))
    settings = {"seed": 1, "epochs": 3, "batch_size": 16, "checkpoint": tmp_path / "c", "checkpoint_s": 5}
    train(model, [objective], data(), **settings)
    assert [(place["epoch"], place["step"]) for place in places] == [(0, 3), (1, 2), (2, 1), (3, 0)]


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b""])
def test_a_damaged_checkpoint_starts_the_training_anew(tmp_path, damage, capsys):
    whole = trained(checkpoint=tmp_path / "c")
    (tmp_path / "c").write_bytes(damage((tmp_path / "c").read_bytes()))
    assert trained(checkpoint=tmp_path / "c") == whole
    assert f"the checkpoint {tmp_path / 'c'} is damaged (" in capsys.readouterr().err


@pytest.mark.parametrize(
    "changed", [{"seed": 2}, {"epochs": 4}, {"batch_size": 8}, {"precision": "bfloat16"}, {"gradient_clip": 1.0}]
)
def test_the_checkpoint_of_another_training_is_not_used(tmp_path, changed, capsys):
    trained(checkpoint=tmp_path / "c")
    assert trained(checkpoint=tmp_path / "c", **changed) == trained(**changed)
    assert f"the checkpoint {tmp_path / 'c'} is of another training" in capsys.readouterr().err


def write_scores(out, checkpoint=None):
    """Train a detector, and write its scores."""
    torch.set_num_threads(1)
    model = loading.detector("dcae").build(16, seed=1, latent=4, width=16, depth=1)
    images = np.random.default_rng(0).random((64, 16, 16)).astype(np.float32)
    training = {"epochs": 15, "batch_size": 8, "checkpoint_s": 0}
    model.fit(images, seed=1, training=training, checkpoint=checkpoint)
    out.write_bytes(model.score(images).tobytes())


def test_a_process_killed_hard_at_any_moment_ends_with_equal_scores(tmp_path):
    """Most of its time goes into writing checkpoints, so that is when it is killed."""
    processes = multiprocessing.get_context("forkserver")  # which imports torch once
    processes.set_forkserver_preload(["oddlens.detectors.dcae"])

    def start(*arguments):
        process = processes.Process(target=write_scores, args=arguments)
        process.start()
        return process

    folder, moments, reached = tmp_path / "checkpoints", np.random.default_rng(), []
    folder.mkdir()
    path, out, whole = folder / "c", tmp_path / "scores", tmp_path / "whole"
    for _ in range(3):
        before = path.stat().st_mtime_ns if path.exists() else 0
        run = start(out, path)
        while not path.exists() or path.stat().st_mtime_ns == before:
            assert run.is_alive()
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        run.kill()
        run.join()
        assert run.exitcode == -signal.SIGKILL
        header = read_tensors(path)[1]
        reached.append((header["epoch"], header["step"]))
    assert reached == sorted(set(reached))
    for last in (start(out, path), start(whole)):
        last.join(300)
        assert last.exitcode == 0
    assert out.read_bytes() == whole.read_bytes() != b""
    assert [file.name for file in folder.iterdir()] == ["c"]


def test_the_settings_are_the_section_of_the_config():
    assert dataclasses.asdict(TrainingSettings()) == Training().model_dump()


def test_seeded_blocks_repeat_and_put_the_state_back():
    before = torch.get_rng_state()
    with global_generators(7):
        first = torch.rand(3)
    with global_generators(7):
        assert torch.equal(torch.rand(3), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_benchmark_of_training_runs(capsys):
    """Both loops to the end of the schedule that the plain one has."""
    spec = importlib.util.spec_from_file_location("train_benchmark", ROOT / "benchmarks" / "train.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.compare(32, 200, 3, "float32", "cpu")
    cells = capsys.readouterr().out.split("|")
    assert float(cells[5]) > 0
    assert float(cells[6]) == pytest.approx(float(cells[7]), rel=0.5)
