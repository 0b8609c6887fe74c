"""The column of a FITS table that says which object a row shows."""

import numpy as np
import pytest
from astropy.io import fits

from oddlens.config.files_dataset import Files
from oddlens.observations.reading.image_stacks import Reading
from oddlens.observations.reading.inspection import describe
from oddlens.observations.reading.listing import list_images
from oddlens.observations.sample.sample import read_sample
from tiny_models import rings

COUNT = 40
STACK = rings(COUNT, 3).astype(np.float32)
LONG = 75339100000000001 + np.arange(COUNT) // 2  # two rows show one object, and floats cannot tell the next from it


def write(path, **columns):
    kinds = {"i": "K", "f": "D", "S": "20A", "U": "20A"}
    made = [fits.Column(name, kinds[values.dtype.kind], array=values) for name, values in columns.items()]
    made.append(fits.Column("cutout", f"{STACK[0].size}E", dim=str(STACK[0].shape), array=STACK))
    fits.BinTableHDU.from_columns(made).writeto(path)
    return path


@pytest.mark.parametrize("name", ["id", "ID", "objectId", "diaObjectId", "object_id", "Name"])
@pytest.mark.parametrize("values", [LONG, np.char.mod("J%d", LONG)])
def test_identifiers_are_objects(tmp_path, name, values):
    (listed,) = list_images(write(tmp_path / "a.fits", **{name: values, "redshift": np.ones(COUNT)}))
    assert listed.objects == tuple(map(str, values))
    assert f"column {name} " in listed.note


def test_columns_that_group_the_rows_alike_are_one(tmp_path):
    (listed,) = list_images(write(tmp_path / "a.fits", id=LONG - LONG[0], objectId=LONG))
    assert listed.objects == tuple(map(str, LONG - LONG[0]))


@pytest.mark.parametrize(
    "columns",
    [
        {"diaObjectId": LONG, "id": np.arange(COUNT)},
        {"ID": LONG.astype(float)},
        {"name": np.array(["a"] + [""] * (COUNT - 1))},
    ],
)
def test_what_may_mean_two_things_or_has_lost_digits_is_reported(tmp_path, columns):
    (listed,) = list_images(write(tmp_path / "a.fits", **columns))
    assert (listed.objects, listed.count) == ((), COUNT)
    assert all(name in listed.note for name in columns)
    assert listed.note in describe(str(tmp_path / "a.fits"), Reading())[0]


def test_other_tables_have_no_objects(tmp_path):
    (listed,) = list_images(write(tmp_path / "a.fits", redshift=np.ones(COUNT)))
    assert (listed.objects, listed.note) == ((), "")


def of_file(path):
    return {"folder": str(path)}


def of_sheet(path):
    (path.parent / "my.csv").write_text(f"file\n{path.name}[0:{COUNT}]\n")
    return {"sheet": str(path.parent / "my.csv")}


@pytest.mark.parametrize("source", [of_file, of_sheet])
def test_the_rows_of_an_object_stay_in_one_pool(tmp_path, source):
    path = write(tmp_path / "a.fits", ID=LONG)
    sample = read_sample(Files(**source(path), pixels=16, split={"validation": 0.3, "test": 0.3}), 1, "mine")
    assert len(sample.table) == COUNT
    assert set(sample.table["object"]) == set(map(str, LONG))
    assert (sample.table.groupby("object")["pool"].nunique() == 1).all()
    assert any("column ID is read as object" in note for note in sample.notes)
