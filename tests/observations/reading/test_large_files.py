"""Large files are read image by image, with the pixels that they have when they are read at once."""

import tracemalloc

import numpy as np
import pytest
from astropy.io import fits

from oddlens.observations.reading import archived_arrays, fits_rows
from oddlens.observations.reading.bulk import read_images
from oddlens.observations.reading.image_files import Reading
from oddlens.observations.reading.listing import list_images
from tiny_models import rings

STACK = rings(6, 3).astype(np.float32)
INTEGERS = np.round(100 * STACK).astype(np.int16)


def scaled(**cards):
    hdu = fits.ImageHDU(INTEGERS, do_not_scale_image_data=True)
    hdu.header.update(cards)
    return hdu


def table():
    column = fits.Column("image", f"{STACK[0].size}I", dim=str(STACK[0].shape), array=INTEGERS)
    return fits.BinTableHDU.from_columns([fits.Column("ID", "K", array=np.arange(6)), column])


FITS = {
    "plain": lambda: fits.ImageHDU(STACK),
    "degenerate": lambda: fits.ImageHDU(STACK[None, :, None]),
    "scaled": lambda: scaled(BSCALE=0.01, BZERO=3.0),
    "unsigned": lambda: fits.ImageHDU(INTEGERS.astype(np.uint16)),
    "blank": lambda: scaled(BLANK=int(INTEGERS[2, 3, 4])),
    "compressed": lambda: fits.CompImageHDU(INTEGERS, compression_type="RICE_1"),
    "quantised": lambda: fits.CompImageHDU(STACK, compression_type="GZIP_1", quantize_level=0),
    "table": table,
    "scaled table": table,
}


@pytest.mark.parametrize("suffix", ["fits", "fits.gz"])
@pytest.mark.parametrize("kind", FITS)
def test_rows_of_fits_files_are_those_of_the_whole(kind, suffix, tmp_path, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    fits.HDUList([fits.PrimaryHDU(), FITS[kind]()]).writeto(path)
    if kind == "scaled table":
        fits.setval(path, "TSCAL2", value=0.01, ext=1)
    references = [str(path), *(f"{path}[{k}]" for k in (4, 1, 5)), f"{path}[2:4]"]
    whole = list(read_images(references))
    rows_read, read = [], fits_rows.FitsRows.__getitem__
    monkeypatch.setattr(fits_rows, "MIN_BYTES", 0)
    monkeypatch.setattr(fits_rows.FitsRows, "__getitem__", lambda *a: rows_read.append(a[1]) or read(*a))
    found = list(read_images(references))
    assert len(rows_read) == len(references) + 1  # and one for the type
    assert len(found) == 6 + 3 + 2
    for one, expected in zip(found, whole, strict=True):
        assert not expected.problem
        np.testing.assert_array_equal(one.image, expected.image)
        assert (one.container, one.reference) == (expected.container, expected.reference)
    assert np.isnan(found[2].image).any() == (kind == "blank")


ARRAYS = {
    "plain": STACK,
    "integers": INTEGERS,
    "grey": np.clip(INTEGERS, 0, 255).astype(np.uint8),
    "fortran": np.asfortranarray(STACK),
    "single": STACK[0],
    "bands": np.stack([STACK, 2 * STACK], 1),
    "big-endian": STACK.astype(">f4"),
}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kind", ARRAYS)
def test_rows_of_npz_files_are_those_of_the_array(kind, save, tmp_path):
    array, channel = ARRAYS[kind], 1 if kind == "bands" else None
    save(tmp_path / "a.npz", labels=np.arange(6), images=array, pixel_scale=0.2)
    expected = array[:, 1] if channel else array if array.ndim > 2 else array[None]
    (listed,) = list_images(tmp_path / "a.npz", Reading(channel=channel))
    found = list(read_images([*listed.each()[::-1]], Reading(channel=channel)))
    np.testing.assert_array_equal([one.image for one in found][::-1], expected)
    assert {one.pixel_scale_arcsec for one in found} == {0.2}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_changed_byte_of_an_npz_file_is_found(save, tmp_path):
    save(tmp_path / "a.npz", images=STACK)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    (only,) = read_images([f"{tmp_path}/a.npz[3]"])
    assert "cannot be read as NPZ" in only.problem


def write_large(path, many):
    if path.suffix == ".npz":
        (np.savez if "stored" in path.stem else np.savez_compressed)(path, images=many)
    elif path.stem == "table":
        column = fits.Column("image", f"{many[0].size}E", dim=str(many[0].shape), array=many)
        fits.BinTableHDU.from_columns([column]).writeto(path)
    else:
        fits.PrimaryHDU(many).writeto(path)


@pytest.mark.parametrize("name", ["stored.npz", "compressed.npz", "cube.fits", "table.fits"])
def test_memory_does_not_grow_with_the_file(name, tmp_path, monkeypatch):
    monkeypatch.setattr(fits_rows, "MIN_BYTES", 2**20)
    monkeypatch.setattr(archived_arrays, "MEMORY_BYTES", 2**20)
    many = np.zeros((2000, 64, 64), np.float32)
    many[:, 20:40, 20:40] = np.arange(2000)[:, None, None]
    write_large(tmp_path / name, many)
    references = [f"{tmp_path / name}[{k}]" for k in range(5, 2000, 400)]
    tracemalloc.start()
    found = list(read_images(references))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [one.image.max() for one in found] == list(range(5, 2000, 400))
    assert peak < many.nbytes / 4
