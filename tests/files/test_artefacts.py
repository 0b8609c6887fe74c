import os
import random

import numpy as np
import pandas as pd
import pytest

from artefact_makers import a_checkpoint
from hostile import damaged
from oddlens.data import shards, splits
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.model_files import save_model
from oddlens.files.artefacts import DamagedFile, atomic_write, read_arrays, read_table, write_arrays, write_table
from oddlens.files.tensors import read_tensors
from oddlens.results.tables.score_files import read_scores


def a_shard(path):
    images = np.random.default_rng(0).normal(size=(5, 8, 8)).astype(np.float32)
    shard = shards.Shard(
        {"images": images, "index": np.arange(5), "truth/x": np.arange(5.0), "psf": np.ones((3, 3))},
        {"dataset": "model_a", "pool": "test", "class": "smooth", "seed": 1},
    )
    shards.write(path, shard)


def some_splits(path):
    table = splits.split(
        ["none-0"],
        seed=1,
        replica=1,
        dataset="model_a",
        images=20,
        smooth="smooth",
        train=range(30),
        contaminants={},
        known={},
    )
    splits.write(path, table)


def a_model(path):
    model = loading.detector("pca").build(8, components=3)
    model.fit(np.random.default_rng(0).random((20, 8, 8)), seed=1)
    save_model(model, path)


def some_scores(path):
    table = pd.DataFrame({"pool": "test", "class": "smooth", "index": range(9), "none-0/1": np.linspace(0, 1, 9)})
    write_table(path, table, kind="scores", dataset="model_a", detector="pca")


def a_table(path):
    write_table(
        path, pd.DataFrame({"training_set": ["none-0"] * 3, "loss": [1.0, 0.5, 0.1]}), kind="losses", devices=["one"]
    )


KINDS = {
    "losses.csv": (a_table, read_table),
    "none-0.checkpoint": (a_checkpoint, read_tensors),
    "shard.h5": (a_shard, shards.read),
    "splits.csv": (some_splits, splits.read),
    "model.safetensors": (a_model, loading.load),
    "scores.csv": (some_scores, read_scores),
}


@pytest.mark.parametrize("name", KINDS)
def test_undamaged_files_are_read(name, tmp_path):
    write, read = KINDS[name]
    write(tmp_path / name)
    read(tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files_are_refused_with_their_path(name, part, tmp_path):
    write, read = KINDS[name]
    write(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DamagedFile, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
def test_altered_files_are_refused_with_their_path(name, tmp_path):
    write, read = KINDS[name]
    write(tmp_path / name)
    content = bytearray((tmp_path / name).read_bytes())
    if name.endswith(".csv"):
        place = content.rindex(b"1")
        content[place : place + 1] = b"2"
    elif name.endswith(".h5"):
        place = bytes(content).index(shards.read(tmp_path / name).images.tobytes())
        content[place] ^= 1
    else:
        content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DamagedFile, match=name):
        read(tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
def test_randomly_damaged_files_are_refused_with_their_path(name, tmp_path):
    """The checksum covers every byte that a reader uses."""
    write, read = KINDS[name]
    write(tmp_path / name)
    whole, rng = (tmp_path / name).read_bytes(), random.Random(name)
    for _ in range(60):
        (tmp_path / name).write_bytes(damaged(whole, rng))
        with pytest.raises(DamagedFile, match=name):
            read(tmp_path / name)


@pytest.mark.parametrize("change", [lambda b: b[1:], lambda b: b[2:], lambda b: b"#  " + b[2:], lambda b: b" " + b])
def test_a_table_with_changed_blanks_is_refused(change, tmp_path):
    write_table(tmp_path / "a.csv", pd.DataFrame({"x": [1]}), kind="scores")
    (tmp_path / "a.csv").write_bytes(change((tmp_path / "a.csv").read_bytes()))
    with pytest.raises(DamagedFile, match="checksum"):
        read_table(tmp_path / "a.csv")


@pytest.mark.parametrize("name", KINDS)
def test_writing_twice_gives_equal_bytes(name, tmp_path):
    write, _ = KINDS[name]
    write(tmp_path / name)
    first = (tmp_path / name).read_bytes()
    write(tmp_path / name)
    assert (tmp_path / name).read_bytes() == first


@pytest.mark.parametrize("name", KINDS)
def test_files_have_the_permissions_of_the_umask(name, tmp_path):
    before = os.umask(0o027)
    try:
        KINDS[name][0](tmp_path / name)
    finally:
        os.umask(before)
    assert (tmp_path / name).stat().st_mode & 0o777 == 0o640


def test_an_altered_attribute_is_refused(tmp_path):
    import h5py

    write_arrays(tmp_path / "a.h5", {"x": np.ones(3)}, dataset="model_a")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file.attrs["dataset"] = "model_b"
    with pytest.raises(DamagedFile, match="checksum"):
        read_arrays(tmp_path / "a.h5")


def test_an_interrupted_write_leaves_the_old_file(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "a.txt").read_text() == "old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_temporary_files_of_killed_processes_are_deleted(tmp_path):
    (tmp_path / ".a.txt.99999999.part").write_text("half")  # above the largest process id
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]


def test_temporary_files_of_running_processes_are_kept(tmp_path):
    theirs = tmp_path / f".a.txt.{os.getppid()}.part"
    theirs.write_text("half")
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert theirs.exists()


def test_hdf5_of_another_kind_is_no_shard(tmp_path):
    write_arrays(tmp_path / "a.h5", {"images": np.ones((1, 8, 8))}, dataset="model_a")
    with pytest.raises(DamagedFile, match=r"a\.h5.*not a shard"):
        shards.read(tmp_path / "a.h5")


def test_a_missing_file_is_reported_as_missing(tmp_path):
    for name, (_, read) in KINDS.items():
        with pytest.raises(FileNotFoundError):
            read(tmp_path / name)


def test_float32_scores_survive_the_table(tmp_path):
    values = np.random.default_rng(0).normal(size=1000).astype(np.float32)
    write_table(tmp_path / "t.csv", pd.DataFrame({"x": values}), kind="scores")
    table, about = read_table(tmp_path / "t.csv")
    assert (table["x"].to_numpy().astype(np.float32) == values).all()
    assert about == {"kind": "scores"}


def test_stacked_shards_keep_their_order_and_names(tmp_path):
    for name in ("a.h5", "b.h5"):
        a_shard(tmp_path / name)
    one = shards.read(tmp_path / "a.h5").images
    both = shards.read_all([tmp_path / "a.h5", tmp_path / "b.h5"], tmp_path)
    assert np.array_equal(both.images, np.concatenate([one, one]))
    assert isinstance(both.images, np.memmap)
    assert list(both.table["index"]) == [*range(5), *range(5)]
    assert set(both.table["class"]) == {"smooth"}
