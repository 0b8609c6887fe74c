"""Many images at once: the pixels and refusals of reading one by one, with what is known of their files."""

import h5py
import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from fits_makers import WCS, psf, unit, write_units
from oddlens.observations.reading import bulk, opened_files
from oddlens.observations.reading.bulk import read_images
from oddlens.observations.reading.image_files import Reading, read, read_single
from tiny_models import rings

STACK = rings(5, 3)  # [5, 16, 16]
READING = Reading(pictures=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("sample")
    np.save(path / "stack.npy", STACK)
    np.save(path / "stack_noise.npy", np.arange(1, 6)[:, None, None] * np.ones((5, 16, 16)))
    np.savez(path / "stack.npz", images=STACK, pixel_scale=0.4)
    fits.writeto(path / "cube.fits", STACK, fits.Header(WCS))
    with h5py.File(path / "stack.h5", "w") as file:
        file["images"] = STACK
        file["bands"] = np.stack([STACK, STACK], 1)
        file["counts"] = (100 * STACK).astype(np.int16)
        file["deep/er/one"] = STACK[0]
        file["deep"].attrs["pixel_scale"] = ["0.11", "arcsec"]
    for k, image in enumerate(STACK):
        np.save(path / f"single{k}.npy", image)
        Image.fromarray((50 * image).clip(0, 255).astype(np.uint8)).save(path / f"single{k}.png")
        bad = np.zeros((16, 16), np.uint8)
        bad[k] = 1
        units = [unit("SCI", image, **WCS), unit("MASK", bad), unit("PSF", psf(5))]
        write_units(path / f"many{k}.fits", *units, CARD=k, **({"EXTRA": 1} if k == 3 else {}))
    return path


REFERENCES = [
    "stack.npy[3]",
    "cube.fits[1]",
    "many2.fits",
    "stack.npy[0]",
    "stack.npy[1:4]",
    "stack.npz[4]",
    "stack.npz",
    "stack.h5[2:4]",
    "stack.h5#counts[1]",
    "stack.h5#deep/er/one",
    "single2.png",
    "many2.fits#SCI",
    "many3.fits",
    "single1.npy",
    "cube.fits[2]",
    "stack.h5[0]",
]
REFUSED = [
    "stack.npy[5]",
    "none.fits",
    "stack.h5#imges",
    "stack.npy[2:2]",
    "cube.fits[9]",
    "many1.fits#ERR",
    "stack.h5#bands[1]",
]


def one_by_one(path, reading):
    """What `read` makes of a reference: pixels with companions by label, or the refusal."""
    found = []
    try:
        for stack in read(path, reading):
            if stack.problem:
                found.append((stack.label, None, stack.problem))
            for k, label in enumerate(stack.labels):
                found.append((label, stack.images[k], stack.companions.of_image(k, len(stack.images))))
    except (OSError, ValueError) as error:
        found.append((str(path), None, str(error)))
    return found


def test_pixels_scales_and_refusals_are_those_of_single_reading(folder):
    references = [f"{folder}/{name}" for pair in zip(REFERENCES, REFUSED * 3, strict=False) for name in pair]
    found = list(read_images(references, READING))
    expected = [entry for reference in references for entry in one_by_one(reference, READING)]
    assert len(found) == len(expected)
    assert sorted({one.position for one in found}) == list(range(len(references)))
    assert [one.position for one in found] == sorted(one.position for one in found)
    for one, (label, image, companions) in zip(found, expected, strict=True):
        assert one.reference == label
        if image is None:
            assert one.image is None
            assert one.problem == companions
            continue
        pixels = np.array(image, float)
        pixels[companions.get("mask", np.zeros(pixels.shape, bool))] = np.nan
        np.testing.assert_array_equal(one.image, pixels)
        assert one.image.dtype == np.float64
        assert one.pixel_scale_arcsec == read_single(label, READING).pixel_scale_arcsec
        assert one.has_unit == (not label.endswith("png"))
        for kind, array in companions.items():
            np.testing.assert_array_equal(one.companions[kind], array)


def test_a_file_is_opened_once(folder, monkeypatch):
    opened = []
    detect = opened_files.file_formats.detect
    monkeypatch.setattr(
        opened_files.file_formats, "detect", lambda path, *more: opened.append(path) or detect(path, *more)
    )
    references = [f"{folder}/stack.{suffix}[{k}]" for k in range(5) for suffix in ("npz", "h5", "npy")]
    assert len(list(read_images(references))) == 15
    assert len(set(opened)) == 3 + 1, "and the noise beside stack.npy"
    assert len([path for path in opened if "noise" not in path.name]) == 3


def test_more_files_than_may_be_open_are_read(folder, monkeypatch):
    monkeypatch.setattr(bulk, "MAX_OPEN", 2)
    references = [f"{folder}/{name}" for _ in range(2) for name in ("stack.npz[1]", "stack.h5[1]", "stack.npy[1]")]
    for one in read_images(references):
        np.testing.assert_array_equal(one.image, STACK[1])


def test_each_image_may_be_read_in_its_own_way(folder):
    references = [f"{folder}/stack.h5#bands[{k}]" for k in range(4)]
    readings = [Reading(channel=1, pixel_scale_arcsec=0.1 * (k + 1)) for k in range(4)]
    found = list(read_images(references, readings))
    assert [one.pixel_scale_arcsec for one in found] == [0.1 * (k + 1) for k in range(4)]
    named = [Reading(companions={"noise": f"{folder}/stack_noise.npy[{k}]"}, neighbours=False) for k in (4, 0)]
    found = list(read_images([f"{folder}/single0.npy", f"{folder}/stack.npy[2]"], named))
    assert [one.companions["noise"][0, 0] for one in found] == [5, 1]


def test_the_container_is_described(folder):
    one, other, png, row = (
        next(read_images([f"{folder}/{name}"], READING)).container
        for name in ("many2.fits", "many3.fits", "single1.png", "stack.npy[1]")
    )
    assert (one.suffix, one.dtype, one.height, one.width) == (".fits", "float32", 16, 16)
    assert one.bytes == (folder / "many2.fits").stat().st_size
    assert one.modified == (folder / "many2.fits").stat().st_mtime
    assert (one.cards, one.header) == (other.cards, other.header), "EXTRA is in the primary header"
    assert one.cards > 5
    assert not one.shared
    assert (png.suffix, png.dtype) == (".png", "uint8")
    assert (row.bytes, row.shared, row.cards, row.header) == (16 * 16 * STACK.itemsize, True, 0, "")


def test_missing_pixels_are_counted_before_the_mask(tmp_path):
    image, mask = STACK[0].copy(), np.zeros((16, 16), np.uint8)
    image[0], mask[5] = np.nan, 1
    write_units(tmp_path / "a.fits", unit("SCI", image, **WCS), unit("MASK", mask))
    (one,) = read_images([tmp_path / "a.fits"])
    assert one.container.nan_fraction == pytest.approx(1 / 16)
    assert np.isnan(one.image).mean() == pytest.approx(2 / 16)


def test_a_mask_of_another_shape_is_a_problem(tmp_path):
    write_units(tmp_path / "a.fits", unit("SCI", STACK[0], **WCS), unit("MASK", np.zeros((9, 9), np.uint8)))
    (one,) = read_images([tmp_path / "a.fits"])
    assert one.image is None
    assert "mask" in one.problem


def test_one_image_for_each_reference_if_that_is_wanted(folder):
    names = ["stack.npy", "stack.npy[2]", "stack.h5", "many1.fits", "stack.npy[1:3]", "none.npy", "stack.npy[9]"]
    references = [f"{folder}/{name}" for name in names]
    found = list(read_images(references, single=True))
    assert [one.position for one in found] == list(range(len(names)))
    assert [one.image is None for one in found] == [True, False, True, False, True, True, True]
    for one in found:
        if one.image is None:
            with pytest.raises((OSError, ValueError)) as error:
                read_single(references[one.position])
            assert str(error.value) == one.problem
