"""Sheets of the user's own images: the first of each class, and the most anomalous ones."""

import numpy as np
import pandas as pd
import pytest

from oddlens.data import shards
from oddlens.results.figures import style
from oddlens.results.figures.image_sheet import MAX_LABEL, short
from oddlens.results.figures.most_anomalous import N_COLUMNS, N_IMAGES
from oddlens.results.tables.result_files import write_result
from oddlens.stages.most_anomalous import most_anomalous
from oddlens.stages.preview import N_COLUMNS as N_PREVIEWED
from oddlens.stages.preview import preview

PIXELS = 8


def shard(path, cls, count, first=0):
    """Images whose brightest pixel is at the number of the image; objects are called 000, 001, ..."""
    index = np.arange(first, first + count)
    images = np.full((count, PIXELS, PIXELS), 100.0, np.float32)  # not sky-subtracted
    images.reshape(count, -1)[np.arange(count), index] += 50
    names = np.array([f"{number:03d}$x".encode() for number in index])
    arrays = {"images": images, "index": index, "sheet/object": names}
    shards.write(path, shards.Shard(arrays, {"dataset": "mine", "pool": "test", "class": cls}))
    return path


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are saved."""
    figures = []
    monkeypatch.setattr(style, "save", lambda figure, path: figures.append(figure))
    return figures


def panels(figure):
    """The position of the brightest pixel, the label and the limits of each image."""
    shown = [axis for axis in figure.axes if axis.images]
    pixels = [np.asarray(axis.images[0].get_array()) for axis in shown]
    return [(int(image.argmax()), axis.get_xlabel(), image) for axis, image in zip(shown, pixels, strict=True)]


def test_a_preview_shows_each_class_with_the_names_of_objects(tmp_path, drawn):
    paths = [shard(tmp_path / "a.h5", "smooth", 20), shard(tmp_path / "b.h5", "odd", 3, first=30)]
    preview(tmp_path / "preview.png", paths, dataset="mine", smooth="smooth")
    found = panels(drawn[0])
    assert [place for place, _, _ in found] == [*range(N_PREVIEWED), 30, 31, 32]
    assert [label for _, label, _ in found][-3:] == ["030$x", "031$x", "032$x"]
    assert all((image.min(), image.max()) == pytest.approx((0, 1)) for _, _, image in found), "a pedestal is no light"
    drawn[0].canvas.draw()  # a name is no formula


def test_the_most_anomalous_images_are_drawn_in_the_order_of_the_ranking(tmp_path, drawn):
    paths = [shard(tmp_path / "a.h5", "7", 20), shard(tmp_path / "b.h5", "7", 20, first=20)]
    order = np.random.default_rng(0).permutation(40)
    ranking = pd.DataFrame({"dataset": "mine", "rank": range(1, 41), "pool": "test", "class": "7", "index": order})
    ranking = ranking.assign(file="x.npy", object=[f"{k:03d}" for k in order], band="", consensus=np.arange(1, 41) / 40)
    write_result(tmp_path / "ranking.csv", pd.concat([ranking.assign(dataset="other", index=99), ranking]))
    most_anomalous(tmp_path / "sheet.png", tmp_path / "ranking.csv", paths, "mine")
    found = panels(drawn[0])
    assert [place for place, _, _ in found] == order[:N_IMAGES].tolist()
    assert found[0][1] == f"{order[0]:03d}\n1 in 40"
    assert len(drawn[0].axes) % N_COLUMNS == 0


def test_without_a_ranking_there_is_a_message(tmp_path, drawn):
    columns = ["dataset", "rank", "class", "index", "file", "object", "band", "consensus"]
    write_result(tmp_path / "ranking.csv", pd.DataFrame(columns=columns))
    most_anomalous(tmp_path / "sheet.png", tmp_path / "ranking.csv", [], "mine")
    assert (len(drawn[0].axes), len(drawn[0].texts)) == (0, 1)


@pytest.mark.parametrize(("name", "label"), [("a/b/007.fits", "a/b/007.fits"), ("x\ny", r"x\ny"), ("lens", "lens")])
def test_labels_are_printable_names(name, label):
    assert short(name) == label


def test_long_labels_keep_their_ends():
    found = short("first" + "x" * 99 + "last.fits")
    assert len(found) <= MAX_LABEL
    assert found.startswith("first")
    assert found.endswith("last.fits")
