"""References to parts of files."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from oddlens.observations.reading import image_files
from oddlens.observations.reading.references import Reference


@pytest.mark.parametrize(
    ("text", "path", "unit", "index"),
    [
        ("a.fits", "a.fits", "", None),
        ("b/a.fits#SCI", "b/a.fits", "SCI", None),
        ("a.fits#SCI,2", "a.fits", "SCI,2", None),
        ("a.npy[17]", "a.npy", "", 17),
        ("a.h5#group/images[3]", "a.h5", "group/images", 3),
        ("a#b.fits#SCI[0]", "a#b.fits", "SCI", 0),
        ("a.fits[SCI]", "a.fits[SCI]", "", None),
    ],
)
def test_a_reference_is_split_and_printed_as_it_was(text, path, unit, index):
    reference = Reference.parse(text)
    assert reference == Reference(Path(path), unit, index)
    assert str(reference) == text


def test_a_range_stands_for_its_images():
    reference = Reference.parse("a.h5#stamps[2:5]")
    assert (str(reference), str(reference.whole)) == ("a.h5#stamps[2:5]", "a.h5#stamps")
    assert reference.indices == range(2, 5)
    assert [str(each) for each in reference.each()] == [f"a.h5#stamps[{k}]" for k in (2, 3, 4)]
    assert Reference.parse("a.h5[7]").indices == range(7, 8)
    assert Reference.parse("a.h5").indices is None
    assert Reference.parse("a.h5").each() == [Reference(Path("a.h5"))]
    for empty in ("a.npy[3:3]", "a.npy[4:3]"):
        with pytest.raises(ValueError, match=r"range is empty.*\[0:5000\]"):
            assert Reference.parse(empty).indices


@pytest.mark.parametrize("name", ["lens#SCI", "lens[3]", "lens#a[3].fits"])
def test_an_existing_path_is_no_reference(tmp_path, name):
    (tmp_path / name).touch()
    assert Reference.parse(tmp_path / name) == Reference(tmp_path / name)


def test_a_part_of_the_image_in_a_folder_is_chosen(tmp_path):
    with h5py.File(tmp_path / "bands.h5", "w") as file:
        file["images"], file["others"] = np.zeros((2, 9, 9)), np.ones((2, 9, 9))
    (stack,) = image_files.read(f"{tmp_path}#others[1]")
    assert stack.images.shape == (1, 9, 9)
    assert (stack.images == 1).all()
