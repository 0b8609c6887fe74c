"""Lists of images that are kept on disk, and when they count."""

import os

import h5py
import numpy as np
import pytest

from oddlens.observations.reading import kept_lists, listing
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.reading.kept_lists import list_images
from tiny_models import rings

STACK = rings(4, 3)


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(kept_lists, "MIN_IMAGES", 2)
    monkeypatch.setattr(kept_lists, "SETTLED_S", -1.0)
    write(tmp_path / "a.h5", "first", "second")
    return tmp_path / "a.h5"


def write(path, *names):
    with h5py.File(path, "w") as file:
        for k, name in enumerate(names):
            file[f"{name}/x_F106"] = STACK[k]
            file[name].attrs["pixel_scale"] = ["0.11", "arcsec"]
            file[name].attrs["class"] = "cdm"


@pytest.fixture
def looked(monkeypatch):
    """How often a file was looked into."""
    calls, look = [], listing.list_images
    monkeypatch.setattr(listing, "list_images", lambda *arguments: calls.append(1) or look(*arguments))
    return calls


def test_a_kept_list_is_that_of_the_file(file, tmp_path, looked):
    lists = tmp_path / "lists"
    first, second = (list_images(file, Reading(), lists) for _ in range(2))
    assert len(looked) == 1
    assert first == second == list(listing.list_images(file))
    assert (second[0].object, second[0].band, second[0].label) == ("first", "F106", "cdm")
    list_images(file, Reading(), None)
    assert len(looked) == 3


def test_a_list_counts_only_for_the_same_file_and_reading(file, tmp_path, looked, monkeypatch):
    lists = tmp_path / "lists"
    list_images(file, Reading(), lists)
    about = file.stat()
    write(file, "first", "third_")
    os.truncate(file, about.st_size)
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))  # the size and the time of modification are as before
    assert [one.object for one in list_images(file, Reading(), lists)] == ["first", "third_"]
    assert {one.pixel_scale_arcsec for one in list_images(file, Reading(pixel_scale_arcsec=0.2), lists)} == {0.2}
    assert len(looked) == 3
    monkeypatch.setattr(kept_lists, "fingerprint", lambda *modules: "another")
    list_images(file, Reading(), lists)
    assert len(looked) == 4


def test_damaged_lists_are_made_anew(file, tmp_path, looked):
    lists = tmp_path / "lists"
    expected = list_images(file, Reading(), lists)
    (kept,) = lists.iterdir()
    for damaged in (b"", kept.read_bytes()[:-9], kept.read_bytes().replace(b"second", b"secomd"), b"\xff\n[]"):
        kept.write_bytes(damaged)
        assert list_images(file, Reading(), lists) == expected
    assert len(looked) == 5


def test_what_cannot_be_kept_is_listed(file, tmp_path, monkeypatch):
    (tmp_path / "lists").write_text("no folder")
    assert len(list_images(file, Reading(), tmp_path / "lists")) == 2
    monkeypatch.setattr(kept_lists, "SETTLED_S", 1000.0)
    assert len(list_images(file, Reading(), tmp_path / "other")) == 2
    assert not (tmp_path / "other").exists()


def test_short_lists_and_errors_are_not_kept(file, tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", STACK)
    assert [one.count for one in list_images(tmp_path / "a.npy", Reading(), tmp_path / "lists")] == [4]
    with pytest.raises(ValueError, match="--channel"):
        list_images(tmp_path / "a.npy", Reading(channel="luminance"), tmp_path / "lists")
    assert not (tmp_path / "lists").exists()
