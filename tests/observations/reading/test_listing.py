"""The images of a file as references, with what groups and attributes say of them."""

import h5py
import numpy as np
import pytest

from fits_makers import WCS, psf, unit, write_units
from oddlens.observations.reading import fits_units
from oddlens.observations.reading.bulk import read_images
from oddlens.observations.reading.image_files import Reading, read, read_single
from oddlens.observations.reading.listing import list_images
from tiny_models import rings

STACK = rings(6, 3)


@pytest.fixture
def roman(tmp_path):
    """Three systems in two bands, in the layout of rung 1 of the Roman Data Challenge."""
    path = tmp_path / "roman.h5"
    with h5py.File(path, "w") as file:
        for k, (substructure, deflector) in enumerate([("True", "False"), ("False", "False"), ("False", "True")]):
            group = file.create_group(f"images/strong_lens_{k:08}")
            group.attrs["substructure"] = [substructure, "Whether there are subhalos"]
            group.attrs["deflector_only"] = [deflector, "Whether there is no source"]
            for j, band in enumerate(("F106", "F129")):
                image = group.create_dataset(f"exposure_{k:08}_{band}", data=STACK[2 * k + j])
                image.attrs["pixel_scale"] = ["0.11", "Pixel scale [arcsec/pixel]"]
                image.attrs["exposure"] = ["610", "s"]
    return path


def test_the_roman_challenge_says_object_band_label_and_scale(roman):
    listed = list(list_images(roman))
    assert [(one.object, one.band, one.label) for one in listed] == [
        (f"strong_lens_{k:08}", band, label)
        for k, label in enumerate(("substructure", "smooth", "deflector_only"))
        for band in ("F106", "F129")
    ]
    assert {one.pixel_scale_arcsec for one in listed} == {0.11}
    assert str(listed[3].reference) == f"{roman}#images/strong_lens_00000001/exposure_00000001_F129"
    found = list(read_images([str(one.reference) for one in listed]))
    np.testing.assert_array_equal([one.image for one in found], STACK)
    assert {one.pixel_scale_arcsec for one in found} == {0.11}
    assert all(one.container.cards == 2 and one.container.shared for one in found)


def test_one_band_or_one_group_is_listed(roman):
    assert [one.object for one in list_images(roman, band="F129")] == [f"strong_lens_{k:08}" for k in range(3)]
    (first, second) = list_images(f"{roman}#images/strong_lens_00000002")
    assert (first.band, second.band) == ("F106", "F129")
    (only,) = list_images(f"{roman}#images/strong_lens_00000002/exposure_00000002_F106")
    assert only.label == "deflector_only"


def test_groups_of_any_depth_with_companions(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for k, name in enumerate(("n/one", "n/two", "three")):
            file[f"{name}/image"] = STACK[k]
            file[f"{name}/noise"] = STACK[k]
            file[f"{name}/psf"] = np.ones((9, 9)) / 81
            file[f"{name}/exposure_time"] = np.ones((16, 16))
            file[f"{name}/parameters"] = np.arange(5)
            file[name].attrs["class"] = b"cdm" if k else "no_sub"
    listed = list(list_images(tmp_path / "a.h5"))
    assert [(str(one.reference).partition("#")[2], one.object, one.label) for one in listed] == [
        ("n/one/image", "n/one", "no_sub"),
        ("n/two/image", "n/two", "cdm"),
        ("three/image", "three", "cdm"),
    ]


def test_stacks_have_a_count_and_references(tmp_path):
    np.save(tmp_path / "a.npy", STACK)
    np.savez(tmp_path / "b.npz", STACK)
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["data"] = STACK
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file["images"], file["noise_free"], file["labels"] = STACK, STACK, np.arange(6)
    write_units(tmp_path / "e.fits", primary=STACK, **WCS)
    for path in sorted(tmp_path.iterdir()):
        (listed,) = list_images(path)
        assert listed.count == 6
        assert [str(each) for each in listed.each()] == [f"{path}[{k}]" for k in range(6)]
        assert listed.pixel_scale_arcsec == (pytest.approx(0.05) if path.suffix == ".fits" else None)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["left"], file["right"] = STACK[:2], STACK[2:]
    assert [(str(one.reference)[-5:], one.count) for one in list_images(tmp_path / "f.h5")] == [
        ("#left", 2),
        ("right", 4),
    ]


def test_bands_need_a_channel(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([STACK, STACK], 1))
    with pytest.raises(ValueError, match="--channel"):
        list(list_images(tmp_path / "a.npy"))
    (listed,) = list_images(tmp_path / "a.npy", Reading(channel=1))
    assert listed.count == 6


def test_fits_units_are_listed_without_their_pixels(tmp_path, monkeypatch):
    units = [unit("VIS_BGSUB", STACK[0], **WCS), unit("NIR_Y_BGSUB", STACK[1], **WCS), unit("VIS_PSF", psf(5))]
    path = write_units(tmp_path / "a.fits", *units)
    monkeypatch.setattr(fits_units.np, "flip", lambda array, axis: array if array.strides[-1] == 0 else 1 / 0)
    listed = list(list_images(path))
    monkeypatch.undo()
    assert [(one.band, str(one.reference)) for one in listed] == [
        ("VIS", f"{path}#VIS_BGSUB"),
        ("NIR_Y", f"{path}#NIR_Y_BGSUB"),
    ]
    np.testing.assert_array_equal(read_single(listed[1].reference).images[0], STACK[1][::-1])


def test_a_file_without_images_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["labels"], file["losses"] = np.arange(5), np.arange(7)
    with pytest.raises(ValueError, match="labels"):
        list(list_images(tmp_path / "a.h5"))


def test_a_group_is_read_as_all_its_images(roman):
    group, scale = "images/strong_lens_00000001", 0.11
    stacks = list(read(f"{roman}#{group}"))
    assert [stack.label for stack in stacks] == [
        f"{roman}#{group}/exposure_00000001_{band}" for band in ("F106", "F129")
    ]
    np.testing.assert_array_equal([stack.images[0] for stack in stacks], STACK[2:4])
    assert {stack.pixel_scale_arcsec for stack in stacks} == {scale}
    assert [stack.label for stack in read(roman)] == [str(one.reference) for one in list_images(roman)]
    (only,) = read(f"{roman}#{group}/exposure_00000001_F129")
    np.testing.assert_array_equal(only.images[0], STACK[3])
    with pytest.raises(ValueError, match="has 2 images"):
        read_single(f"{roman}#{group}")
    with pytest.raises(ValueError, match="strong_lens_00000009"):
        list(read(f"{roman}#images/strong_lens_00000009"))


def test_arrays_outside_of_groups_are_chosen_by_name(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["left"], file["group/right"] = STACK[:2], STACK[2:]
        file["group/psf"] = psf(9)
    with pytest.raises(ValueError, match="--dataset"):
        list(read(tmp_path / "a.h5"))
    (only,) = read(f"{tmp_path}/a.h5#group")
    assert (only.label, len(only.images)) == (f"{tmp_path}/a.h5#group/right", 4)
