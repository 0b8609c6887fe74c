"""NPY, NPZ and HDF5 files: axes and numbers that are read, and what is refused."""

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.observations.reading import array_axes, array_files, file_formats, image_files, stored_arrays
from oddlens.observations.reading.array_axes import as_image, as_stack
from tiny_models import rings, write_fits

STACK = rings(6, 3)  # [6, 16, 16]


def read(path, **reading):
    return array_files.read_images(path, file_formats.detect(path), **reading)


def refusal(array, channel=None):
    """The message with which an array is refused."""
    with pytest.raises(ValueError, match="own") as error:
        as_stack("own", array, channel)
    assert len(str(error.value).splitlines()) == 1
    return str(error.value)


# --- axes ------------------------------------------------------------------------------------------------------------


@given(st.integers(1, 40), st.integers(8, 40), st.integers(0, 5), st.data())
@hypothesis_settings(max_examples=200, deadline=None)
def test_axes_of_length_one_change_no_image(count, side, ones, data):
    images = np.arange(count * side**2, dtype=float).reshape(count, side, side)
    forms = [images, images[:, None], images[..., None], images[:, None, ..., None], images[..., None, None]]
    if count == 1:
        forms += [images.reshape((1,) * ones + (side, side)), images.reshape((side, side) + (1,) * ones)]
    if count % 3 == 0:
        forms += [images.reshape(3, -1, 1, side, side), images.reshape(3, -1, side, side, 1)]
    form = data.draw(st.sampled_from(range(len(forms))))
    np.testing.assert_array_equal(as_stack("own", forms[form]), images)


@given(st.integers(2, 12), st.integers(8, 40), st.integers(2, 7), st.booleans(), st.data())
@hypothesis_settings(max_examples=200, deadline=None)
def test_bands_are_chosen_and_never_guessed(count, side, bands, last, data):
    images = np.arange(count * bands * side**2, dtype=float).reshape(count, bands, side, side)
    array = np.moveaxis(images, 1, -1) if last else images
    assert "--channel" in refusal(array)
    channel = data.draw(st.integers(0, bands - 1))
    np.testing.assert_array_equal(as_stack("own", array, channel), images[:, channel])
    np.testing.assert_array_equal(as_stack("own", array[0], channel), images[:1, channel])
    for wrong in (-1, bands, 99):
        assert f"{bands} bands" in refusal(array, wrong)


@given(st.lists(st.integers(0, 70), max_size=6).map(tuple), st.sampled_from([None, 0, 1, 5]))
@hypothesis_settings(max_examples=300, deadline=None)
def test_any_shape_is_images_or_refused(shape, channel):
    if np.prod(shape, dtype=float) > 1e6:
        return
    try:
        stack = as_stack("own", np.zeros(shape, np.float32), channel)
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017
    else:
        assert stack.ndim == 3
        assert min(stack.shape[1:]) >= array_axes.MIN_SIDE_PIXELS
        assert stack.size in (np.prod(shape), *(np.prod(shape) / side for side in shape if channel is not None))


@pytest.mark.parametrize("shape", [(64, 64, 3), (64, 64, 10), (64, 48, 4), (32, 32, 5)])
def test_an_image_with_channels_last_is_no_stack_of_slits(shape):
    assert "[h, w, bands]" in refusal(np.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 32, 32), (2, 64, 48), (60, 32, 32), (32, 32, 32), (5, 40, 64)])
def test_three_axes_are_images(shape):
    assert as_stack("own", np.zeros(shape)).shape == shape


@pytest.mark.parametrize("shape", [(2, 3, 4, 32, 32), (32, 32, 32, 32), (6, 3, 5, 32), (2, 2, 2, 2, 2, 2)])
def test_ambiguous_axes_are_refused(shape):
    assert "ambiguous" in refusal(np.zeros(shape))


def test_flattened_images_are_recognised():
    flat = STACK.reshape(6, -1)
    labelled = np.column_stack([flat, np.arange(6)])
    for array in (flat, labelled, flat[0], labelled[0], flat[:, None], np.tile(flat, (43, 1))[:256]):
        assert "16 x 16" in refusal(array)
    many = rings(200, 4).reshape(200, -1)
    assert "reshape(-1, 16, 16)" in refusal(many)
    assert "and a label" in refusal(np.column_stack([many, np.arange(200)]))


@pytest.mark.parametrize("shape", [(90, 100), (100, 64), (70, 65), (121, 144), (64, 64), (400, 256)])
def test_a_frame_whose_width_is_a_square_is_an_image(shape):
    rng = np.random.default_rng(1)
    y, x = np.indices(shape)
    lens = np.exp(-0.5 * ((x - shape[1] / 2) ** 2 + (y - shape[0] / 2) ** 2) / 8**2)
    for image in (lens, rng.normal(size=shape), lens + rng.normal(size=shape)):
        np.testing.assert_array_equal(as_stack("own", image), image[None])


# --- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [">f4", "<f4", ">f8", "f2", ">i2", "i2", "u1", ">u2", "i4", "i8", "u8", "g"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_numbers_of_all_types_are_read(tmp_path, dtype, order):
    counts = np.round(100 * np.clip(STACK, 0, 2)).astype(dtype, order=order)
    np.save(tmp_path / "images.npy", counts)
    np.testing.assert_array_equal(np.asarray(read(tmp_path / "images.npy")[0], float), np.asarray(counts, float))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (STACK > 0, "truth values"),
        (STACK + 1j, "complex"),
        (np.zeros((16, 16), [("image", "f4"), ("noise", "f4")]), "fields image, noise"),
        (np.full((16, 16), "1.0"), "text"),
        (np.zeros((16, 16), "M8[s]"), "dates"),
        (STACK[:0], "empty"),
        (np.float64(3), "shape ()"),
        (np.where(STACK > 1, np.inf, STACK).astype("f2"), "65504"),
        (np.where(STACK > 1, -np.inf, STACK).astype("f2"), "infinite"),
    ],
)
def test_what_is_no_image_is_refused(array, words):
    assert words in refusal(array)


def test_counts_that_were_wrapped_are_refused():
    counts = np.round(40000 * np.clip(STACK, 0, 1)).astype(np.int64)
    assert "wrapped" in refusal(counts.astype(np.int16))
    np.testing.assert_array_equal(as_stack("own", counts.astype(np.uint16)), counts)
    sky_subtracted = np.round(30000 * STACK / STACK.max()).astype(np.int16)
    assert as_stack("own", sky_subtracted) is sky_subtracted


def test_one_image_is_read_from_any_axes_and_a_mask_may_be_boolean():
    for array in (STACK[0], STACK[:1], STACK[:1, ..., None], STACK[:1][None]):
        np.testing.assert_array_equal(as_image("own", array), STACK[0])
    np.testing.assert_array_equal(as_image("own", STACK[0] > 0.5), np.uint8(STACK[0] > 0.5))
    for array in (STACK, STACK[0, 0], STACK[0] + 1j, STACK[:0]):
        with pytest.raises(ValueError, match="own"):
            as_image("own", array)


# --- files -----------------------------------------------------------------------------------------------------------


def rows_of(image):
    rows = np.empty(len(image), object)
    rows[:] = list(image)
    return rows


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_python_objects_are_never_unpickled(tmp_path, suffix):
    pair = np.empty(2, object)
    pair[:] = [STACK[0], 1e-22]
    for name, array in {"rows": rows_of(STACK[0]), "pair": pair, "numbers": STACK[:2].astype(object)}.items():
        path = tmp_path / f"{name}.{suffix}"
        np.save(path, array) if suffix == "npy" else np.savez(path, images=array)
        with pytest.raises(ValueError, match=r"a pickle.*np\.save") as error:
            read(path)
        assert ("a[0]" in str(error.value)) == (name == "pair")


def test_npz_arrays_have_names(tmp_path):
    np.savez(tmp_path / "one.npz", STACK, pixel_scale=0.4)
    images, scale = read(tmp_path / "one.npz")
    np.testing.assert_array_equal(images, STACK)
    assert scale == 0.4
    np.savez_compressed(tmp_path / "two.npz", lenses=STACK, labels=np.arange(6), images=STACK[:2])
    assert read(tmp_path / "two.npz")[0].shape == (2, 16, 16)
    assert read(tmp_path / "two.npz", dataset="lenses")[0].shape == (6, 16, 16)
    np.savez(tmp_path / "many.npz", lenses=STACK, labels=np.arange(6))
    for name in ("images", "lense"):
        with pytest.raises(ValueError, match="Known: lenses, labels"):
            read(tmp_path / "many.npz", dataset=name)
    np.savez(tmp_path / "companions.npz", data=STACK[0], psf=np.full((5, 5), 0.04))
    path = tmp_path / "companions.npz"
    (stack,) = image_files.read(f"{path}#data", image_files.Reading(companions={"psf": f"{path}#psf"}))
    np.testing.assert_array_equal(stack.images[0], STACK[0])
    np.testing.assert_allclose(stack.companions.arrays["psf"], np.full((5, 5), 0.04))


def test_hdf5_data_sets_have_names_and_scales(tmp_path):
    path = tmp_path / "file.h5"
    with h5py.File(path, "w") as file:
        file["group/lenses"] = STACK
        file["group"].attrs["pixel_scale"] = ["0.11", "arcsec per pixel"]
    images, scale = read(path, dataset="group/lenses")
    np.testing.assert_array_equal(images, STACK)
    assert scale == 0.11
    with h5py.File(path, "a") as file:
        file["labels"] = np.arange(6)
        file["group/lenses"].attrs["deltaPix"] = 0.12
    with pytest.raises(ValueError, match="Known: group/lenses, labels"):
        read(path)
    with pytest.raises(ValueError, match=r"pixel scale is unclear.*0.11.*0.12"):
        read(path, dataset="group/lenses")
    assert read(path, dataset="group/lenses", pixel_scale_arcsec=0.2)[1] == 0.2
    with h5py.File(path, "a") as file:
        del file["labels"]
        for k in range(50):
            file[f"images/strong_lens_{k:08}"] = STACK[0]
    with pytest.raises(ValueError, match="and 41 more"):
        read(path)


@pytest.mark.parametrize("value", ["small", -0.1, 0, np.nan, np.inf, [], "", np.array([b"x"])])
def test_a_pixel_scale_that_is_no_scale_is_not_passed_over(tmp_path, value):
    with h5py.File(tmp_path / "file.h5", "w") as file:
        file["images"] = STACK
        file["images"].attrs["pixel_scale_arcsec"] = value
    with pytest.raises(ValueError, match="--pixel-scale"):
        read(tmp_path / "file.h5")


def test_lenstronomy_files_have_their_pixel_scale(tmp_path):
    with h5py.File(tmp_path / "image_x.h5", "w") as file:
        file["image_data"], file["background_rms"] = STACK[0], 0.02
        file["transform_pix2angle"] = np.array([[-0.03, 0.04], [0.04, 0.03]])
    images, scale = read(tmp_path / "image_x.h5", dataset="image_data")
    assert images.shape == (1, 16, 16)
    assert scale == pytest.approx(0.05)


def test_too_large_arrays_are_refused_before_they_are_read(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "hollow.h5", "w") as file:
        file.create_dataset("images", (10**6, 64, 64), "f4", chunks=(1, 64, 64))
        file.create_dataset("wide", (1, 3000, 20), "f4")
        file.create_dataset("empty", data=h5py.Empty("f4"))
    for name, words in {"images": "15.3 GiB", "wide": "3000 pixels", "empty": "is empty"}.items():
        with pytest.raises(ValueError, match=words):
            read(tmp_path / "hollow.h5", dataset=name)
    np.savez_compressed(tmp_path / "bomb.npz", images=np.zeros((100, 64, 64)))
    monkeypatch.setattr(stored_arrays, "MAX_BYTES", 2**20)
    with pytest.raises(ValueError, match="GiB are read"):
        read(tmp_path / "bomb.npz")
    np.save(tmp_path / "long.npy", np.zeros((100, 64, 64)))  # mapped
    assert read(tmp_path / "long.npy")[0].shape == (100, 64, 64)
    assert isinstance(read(tmp_path / "long.npy")[0], np.memmap)


DAMAGES = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8)


@given(st.sampled_from(["npy", "npz"]), DAMAGES, st.integers(0, 3000))
@hypothesis_settings(max_examples=150, deadline=None)
def test_damaged_files_are_read_or_refused(tmp_path_factory, suffix, damages, length):
    path = tmp_path_factory.mktemp("arrays") / f"images.{suffix}"
    np.save(path, STACK[:2]) if suffix == "npy" else np.savez(path, images=STACK[:2])
    content = bytearray(path.read_bytes())
    for place, value in damages:
        content[place] = value
    path.write_bytes(content[:length])
    try:
        assert read(path)[0].ndim == 3
    except ValueError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


def test_equal_images_in_all_formats_are_equal(tmp_path):
    np.save(tmp_path / "a.npy", STACK[..., None])
    np.savez(tmp_path / "b.npz", STACK[:, None])
    with h5py.File(tmp_path / "c.h5", "w") as file:
        file["images"] = STACK.reshape(2, 3, 1, 16, 16)
    write_fits(tmp_path / "d.fits", STACK[:, ::-1])
    for path in sorted(tmp_path.iterdir()):
        (stack,) = image_files.read(path)
        np.testing.assert_array_equal(stack.images, STACK)
