"""Files that cannot be written: a one-line error, no partial file, and the previous file is kept."""

import errno
import os
import pwd
import resource
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed

from artefact_makers import a_large_model
from oddlens.data import shards
from oddlens.files.artefacts import atomic_write, read_arrays, write_arrays, write_table
from oddlens.files.io_errors import CannotWrite, explain_io_errors
from oddlens.results.figures import style
from oddlens.results.tables.result_files import write_result
from oddlens.stages.export import atomic_write_folder
from oddlens.training.checkpoints import Checkpoints, Position

NUMBERS = np.random.default_rng(0).random((700, 700))
TABLE = pd.DataFrame(NUMBERS[:, :100]).add_prefix("x")


def a_figure(path):
    figure = style.plt.figure(figsize=(5, 5))
    figure.figimage(np.random.default_rng(0).random((700, 700, 3)))
    style.save(figure, path)


def a_page(path):
    with atomic_write(path) as temporary:
        temporary.write_text("x" * 3_000_000)


def a_folder(path):
    with atomic_write_folder(path) as temporary:
        (temporary / "deeper").mkdir()
        for k in range(10):
            (temporary / "deeper" / f"{k}.png").write_bytes(bytes(400_000))


KINDS = {
    "shard.h5": lambda path: shards.write(path, shards.Shard({"images": NUMBERS}, {"dataset": "one"})),
    "many.h5": lambda path: write_arrays(path, {f"truth/{k}": NUMBERS[k] for k in range(500)}),
    "scores.csv": lambda path: write_table(path, TABLE, kind="scores"),
    "table.csv": lambda path: write_result(path, TABLE),
    "model.safetensors": a_large_model,
    "figure.png": a_figure,
    "report.html": a_page,
    ".model.checkpoint": lambda path: Checkpoints(path, 0, torch.nn.Linear(700, 700), {}, {}).save({}, Position()),
}
"""Writers of every kind of file, each of more than 300 kB."""


def refused(write, path):
    """The error of a write that fails and changes nothing."""
    before = {file: file.read_bytes() for file in path.parent.iterdir()}
    with pytest.raises(CannotWrite) as caught:
        write(path)
    assert {file: file.read_bytes() for file in path.parent.iterdir()} == before
    line = str(caught.value)
    assert line.startswith(f"{path} cannot be written: ")
    assert "\n" not in line
    return line


@contextmanager
def no_larger_than(size):
    """Limit the size of files, so that writing fails halfway, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("size", [0, 5_000, 200_000])
def test_a_write_that_fails_halfway_keeps_the_previous_file(name, size, tmp_path):
    (tmp_path / name).write_text("old")
    with no_larger_than(size):
        assert "larger than" in refused(KINDS[name], tmp_path / name)


@pytest.mark.parametrize("name", KINDS)
def test_a_full_disk_is_reported_with_its_free_space(name, disk):
    (disk / name).write_text("old")
    assert f"the disk is full (0.3 MB are left in {disk}" in refused(KINDS[name], disk / name)


@pytest.mark.parametrize("name", KINDS)
def test_a_read_only_disk_is_reported(name, read_only_disk):
    assert f"{read_only_disk} is on a read-only file system" in refused(KINDS[name], read_only_disk / name)


def test_a_folder_that_does_not_fit_is_not_created(disk):
    with pytest.raises(CannotWrite, match="export cannot be written: the disk is full"):
        a_folder(disk / "export")
    assert not list(disk.iterdir())


def test_missing_permission_is_reported_with_the_owner(forbidden):
    owner = pwd.getpwuid(os.getuid()).pw_name
    for path in (forbidden / "a.csv", forbidden / "new" / "a.csv"):
        with pytest.raises(CannotWrite, match=f"you may not write in {forbidden}, which belongs to {owner}"):
            KINDS["scores.csv"](path)
    assert not list(forbidden.iterdir())


def _cannot_write(path):
    raise CannotWrite(path, errno.EROFS)


def test_the_error_passes_from_worker_processes(tmp_path):
    with pytest.raises(CannotWrite, match="read-only"):
        Parallel(n_jobs=2)(delayed(_cannot_write)(tmp_path / name) for name in "ab")


def test_the_error_number_is_found_in_the_message_of_a_library(tmp_path):
    with pytest.raises(CannotWrite, match="quota"), explain_io_errors(tmp_path / "a.csv"):
        raise RuntimeError(f"I/O error: Disk quota exceeded (os error {errno.EDQUOT})")


def test_an_error_about_another_file_is_unchanged(tmp_path):
    with pytest.raises(PermissionError), explain_io_errors(tmp_path / "a.csv"):
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "input.csv"))


@pytest.mark.parametrize("error", [ValueError("no"), FileNotFoundError(errno.ENOENT, "no"), KeyboardInterrupt()])
def test_other_errors_are_unchanged(error, tmp_path):
    with pytest.raises(type(error)) as caught, explain_io_errors(tmp_path / "a.csv"):
        raise error
    assert caught.value is error


def test_an_explained_error_is_not_explained_again(tmp_path):
    with pytest.raises(CannotWrite, match=r"inner\.csv"), explain_io_errors(tmp_path / "outer.log"):
        try:
            raise CannotWrite(tmp_path / "inner.csv", errno.ENOSPC)
        finally:
            raise OSError(errno.ENOSPC, "the log is on the same disk")


def test_a_full_scratch_disk_is_reported(disk, tmp_path):
    KINDS["shard.h5"](tmp_path / "shard.h5")
    images = {"images": NUMBERS.astype(np.float32)[:, :, None], "index": np.arange(700)}
    shards.write(tmp_path / "shard.h5", shards.Shard(images, {"pool": "test", "class": "smooth"}))
    with pytest.raises(CannotWrite, match=f"{disk}/images cannot be written: the disk is full"):
        shards.read_all([tmp_path / "shard.h5"], disk)


def test_hdf5_with_many_arrays_is_complete(tmp_path):
    arrays = {f"truth/{k}": NUMBERS[k] for k in range(500)}
    write_arrays(tmp_path / "a.h5", arrays, dataset="one")
    found, about = read_arrays(tmp_path / "a.h5")
    assert about == {"dataset": "one"}
    assert found.keys() == arrays.keys()
    assert all(np.array_equal(found[name], array) for name, array in arrays.items())
