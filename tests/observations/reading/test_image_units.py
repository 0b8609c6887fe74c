"""FITS files of many units: which are images, and what belongs to each."""

import numpy as np
import pytest

from fits_makers import WCS, image, psf, unit, write_units
from oddlens.observations.reading.image_files import Reading, read, read_single


def noise(sigma, shape=(161, 161)):
    return np.full(shape, sigma, np.float32)


def read_all(path, **reading):
    return {stack.label.removeprefix(f"{path}"): stack for stack in read(path, Reading(**reading))}


def test_bands_have_their_own_noise_and_psf(tmp_path):
    units = []
    for k, band in enumerate(("VIS", "NIR_Y"), 1):
        units += [unit(f"{band}_BGSUB", image(seed=k), **WCS), unit(f"{band}_PSF", psf(19 + 2 * k))]
        units += [unit(f"{band}_RMS", noise(0.01 * k))]
    stacks = read_all(write_units(tmp_path / "bands.fits", *units))
    assert list(stacks) == ["#VIS_BGSUB", "#NIR_Y_BGSUB"]
    for k, stack in enumerate(stacks.values(), 1):
        arrays = stack.companions.of_image(0, 1)
        assert arrays["psf"].shape == (19 + 2 * k, 19 + 2 * k)
        assert arrays["noise"][0, 0] == pytest.approx(0.01 * k)
        assert stack.pixel_scale_arcsec == pytest.approx(0.05)
        assert any("NIR_Y_PSF" in note for note in stack.companions.notes), "used or not, every unit is named"


def test_versions_belong_together_whatever_their_order_and_size(tmp_path):
    units = [unit("ERR", noise(0.02, (201, 201)), EXTVER=2), unit("SCI", image(), EXTVER=1, **WCS)]
    units += [unit("ERR", noise(0.01), EXTVER=1), unit("SCI", image(201), EXTVER=2, **WCS)]
    stacks = read_all(write_units(tmp_path / "chips.fits", *units))
    assert {label: stack.companions.arrays["noise"][0, 0] for label, stack in stacks.items()} == {
        "#SCI": pytest.approx(0.01),
        "#SCI,2": pytest.approx(0.02),
    }


def test_the_error_of_another_version_is_not_used(tmp_path):
    units = [unit("SCI", image(), EXTVER=1, **WCS), unit("SCI", image(), EXTVER=2, **WCS)]
    stacks = read_all(write_units(tmp_path / "chips.fits", *units, unit("ERR", noise(0.01), EXTVER=1)))
    assert [list(stack.companions.arrays) for stack in stacks.values()] == [["noise"], []]


def test_planes_of_a_cube_have_their_own_noise(tmp_path):
    cube, errors = np.stack([image(), image(seed=2)]), np.stack([noise(0.01), noise(0.02)])
    path = write_units(tmp_path / "cube.fits", unit("SCI", cube, **WCS), unit("ERR", errors))
    (stack,) = read(path)
    assert stack.labels == [f"{path}[0]", f"{path}[1]"]
    assert [stack.companions.of_image(k, 2)["noise"][0, 0] for k in range(2)] == [
        pytest.approx(0.01),
        pytest.approx(0.02),
    ]
    second = read_single(f"{path}[1]")
    np.testing.assert_array_equal(second.images[0], stack.images[1])
    assert second.companions.of_image(0, 1)["noise"][0, 0] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("name", "values", "sigma"),
    [("VARIANCE", 4e-4, 0.02), ("STAT", 4e-4, 0.02), ("IVAR", 2500.0, 0.02), ("RMS", 0.02, 0.02), ("ERR", 0.02, 0.02)],
)
def test_noise_comes_from_variance_and_inverse_variance_too(tmp_path, name, values, sigma):
    array = noise(values)
    array[0, 0] = 0 if name == "IVAR" else array[0, 0]
    (stack,) = read(write_units(tmp_path / "x.fits", unit("DATA", image(), **WCS), unit(name, array)))
    found = stack.companions.arrays["noise"]
    assert found[5, 5] == pytest.approx(sigma)
    assert np.isnan(found[-1, 0]) == (name == "IVAR")


def test_a_weight_map_masks_what_has_no_weight_and_is_no_noise(tmp_path):
    weight = noise(800.0)
    weight[:10] = 0
    units = [unit("SCI", image(), **WCS), unit("WHT", weight), unit("CTX", np.ones((161, 161), np.int32))]
    (stack,) = read(write_units(tmp_path / "drz.fits", *units))
    assert list(stack.companions.arrays) == ["mask"]
    assert stack.companions.arrays["mask"].sum() == 1610
    assert any("CTX" in note for note in stack.companions.notes)


def test_the_file_that_pyautolens_writes(tmp_path):
    mask = np.zeros((161, 161))
    mask[:, :20] = 1
    units = [unit("DATA", image()), unit("NOISE_MAP", noise(0.01)), unit("PSF", psf())]
    units += [unit(f"OVER_SAMPLE_SIZE_{name}", noise(4)) for name in ("LP", "PIXELIZATION")]
    path = write_units(tmp_path / "dataset.fits", *units, primary=mask, EXTNAME="MASK")
    (stack,) = read(path, Reading(pixel_scale_arcsec=0.05))
    assert stack.label == str(path)
    assert {kind: array.shape for kind, array in stack.companions.arrays.items()} == {
        "psf": (21, 21),
        "noise": (161, 161),
        "mask": (161, 161),
    }


def test_a_part_that_cannot_be_read_leaves_the_others(tmp_path):
    units = [unit("G_SCI", image(), **WCS), unit("R_SCI", np.zeros((3, 40, 161, 161), np.int8)), unit("I_SCI", image())]
    units += [unit("I_PSF", 5 * psf())]
    stacks = read_all(write_units(tmp_path / "x.fits", *units))
    assert {label: bool(stack.problem) for label, stack in stacks.items()} == {
        "#G_SCI": False,
        "#R_SCI": True,
        "#I_SCI": True,
    }


def test_axes_of_length_one_are_left_out(tmp_path):
    (stack,) = read(write_units(tmp_path / "alma.fits", primary=image()[None, None], **WCS))
    np.testing.assert_array_equal(stack.images, image()[None, ::-1])


@pytest.mark.parametrize("axis", ["AWAV", "WAVE", "FREQ", "VRAD", "VELO-LSR", "STOKES"])
def test_wavelengths_are_no_lenses(tmp_path, axis):
    path = write_units(tmp_path / "cube.fits", unit("DATA", np.stack([image(41)] * 4), CTYPE3=axis, **WCS))
    (stack,) = read(path)
    assert axis in stack.problem
    assert "\n" not in stack.problem
    assert read_single(f"{path}#DATA[2]").images.shape == (1, 41, 41)


def test_units_without_a_known_name_are_not_guessed(tmp_path):
    one = write_units(tmp_path / "one.fits", unit("MYLENS", image(), **WCS), unit("ERR", noise(0.01)))
    assert list(read_single(one).companions.arrays) == ["noise"]
    two = write_units(tmp_path / "two.fits", unit("LEFT", image(), **WCS), unit("RIGHT", image(), **WCS))
    with pytest.raises(ValueError, match=r"LEFT.*RIGHT"):
        list(read(two))
    assert read_single(f"{two}#RIGHT").images.shape == (1, 161, 161)
    three = write_units(tmp_path / "three.fits", unit("SCI", image(), **WCS), unit("STRANGE", image()))
    assert any("STRANGE" in note for note in read_single(three).companions.notes)


@pytest.mark.parametrize("name", ["SCI,3", "SCY", "9", "ERR,2"])
def test_an_unknown_part_is_refused_with_the_known_ones(tmp_path, name):
    path = write_units(tmp_path / "x.fits", unit("SCI", image(), **WCS), unit("ERR", noise(0.01)))
    with pytest.raises(ValueError, match=r"SCI.*ERR"):
        list(read(f"{path}#{name}"))
    assert read_single(f"{path}#1").label == f"{path}#1"


def test_the_named_part_has_the_companions_of_its_band(tmp_path):
    units = [unit("G_IMAGE", image()), unit("R_IMAGE", image()), unit("G_ERR", noise(1)), unit("R_ERR", noise(2))]
    path = write_units(tmp_path / "x.fits", *units)
    assert read_single(f"{path}#r_image").companions.arrays["noise"][0, 0] == 2
