"""A job of training: several training sets of one detector, one after the other or side by side."""

from dataclasses import replace

import numpy as np
import pytest

from oddlens.data import shards, splits
from oddlens.detectors.interface.model_files import read_model
from oddlens.files.artefacts import read_table
from oddlens.provenance.environment import code_version, describe_commit
from oddlens.stages.train import TrainedRow, train

PIXELS, COUNT = 12, 60
SETTINGS = {"latent": 4, "width": 16, "depth": 1}
TRAINING_SETS = ["none-0", "odd-0.1", "odd-0.2"]


def shard(cls, count):
    images = np.random.default_rng([len(cls), count]).normal(5, 1, (count, PIXELS, PIXELS)).astype(np.float32)
    truth = {"truth/noise_gain": 0.0, "truth/noise_background": 0.01, "truth/psf_fwhm_pixels": 2.0}
    arrays = {"images": images, "index": np.arange(count)} | {k: np.full(count, v) for k, v in truth.items()}
    pool = "train" if cls == "smooth" else "contaminant"
    return shards.Shard(arrays, {"dataset": "one", "pool": pool, "class": cls})


@pytest.fixture
def job(tmp_path):
    """The arguments of a training job, less its outputs."""
    paths = {cls: str(tmp_path / f"{cls}.h5") for cls in ("smooth", "odd")}
    for cls, path in paths.items():
        shards.write(path, shard(cls, COUNT if cls == "smooth" else 20))
    about = {"seed": 1, "replica": 1, "dataset": "one", "images": 40, "smooth": "smooth", "train": range(COUNT)}
    splits.write(
        tmp_path / "splits.csv", splits.split(TRAINING_SETS, **about, contaminants={"odd": range(20)}, known={})
    )
    return {
        "row": TrainedRow("dcae", "dcae", SETTINGS, {"epochs": 2, "batch_size": 16}, "images", labels={}),
        "dataset": "one",
        "shard_paths": list(paths.values()),
        "split_path": str(tmp_path / "splits.csv"),
        "smooth": "smooth",
        "seed": 1,
        "replica": 1,
        "source": "0",
    }


def run(job, folder, **more):
    train(
        {training_set: folder / f"{training_set}.safetensors" for training_set in TRAINING_SETS},
        folder / "losses.csv",
        **job | more,
    )
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.*"))}


def test_models_that_are_trained_side_by_side_are_those_trained_one_after_the_other(job, tmp_path, capfd):
    alone, together = (run(job, tmp_path / str(threads), threads=threads) for threads in (1, 3))
    assert len(alone) == len(TRAINING_SETS) + 1
    assert alone == together
    assert "odd-0.2  epoch 2/3" in capfd.readouterr().err


def test_a_second_job_keeps_what_it_finds_and_says_the_same_of_it(job, tmp_path, capfd):
    before = run(job, tmp_path / "models")
    (tmp_path / "models" / "odd-0.1.safetensors").unlink()
    capfd.readouterr()
    assert run(job, tmp_path / "models") == before
    assert capfd.readouterr().err.count("kept, its recipe has not changed") == 2


def test_another_setting_trains_anew(job, tmp_path):
    before = run(job, tmp_path / "models")
    after = run(job, tmp_path / "models", row=replace(job["row"], settings=SETTINGS | {"latent": 5}))
    assert not {name for name in before if before[name] == after[name]}


def test_a_model_and_the_losses_say_what_made_them(job, tmp_path):
    run(job, tmp_path / "models")
    about = read_model(tmp_path / "models" / "odd-0.1.safetensors")[1]["about"]
    assert (about["row"], about["training_set"], about["seed"], about["diverged"]) == ("dcae", "odd-0.1", 1, None)
    table, head = read_table(tmp_path / "models" / "losses.csv", "losses")
    assert table["training_set"].unique().tolist() == TRAINING_SETS
    assert head["devices"] == [about["device"]]
    assert about["code"] == code_version()
    assert head["commits"] == [describe_commit(about["code"])]
