"""Roles of images by their names."""

import pytest

from oddlens.observations.reading.unit_roles import Role, role_of

ROLES = {
    "": ("science", ""),
    "SCI": ("science", ""),
    "VIS_BGSUB": ("science", "VIS"),
    "VIS_RMS": ("noise", "VIS"),
    "VIS_PSF": ("psf", "VIS"),
    "NIR_Y_RMS": ("noise", "NIR_Y"),
    "DES_G_BGSUB": ("science", "DES_G"),
    "image_F475X": ("science", "F475X"),
    "PSF_F814W": ("psf", "F814W"),
    "F115W": ("science", "F115W"),
    "g": ("science", "G"),
    "NOISE_MAP": ("noise", ""),
    "IMAGE_NOISE": ("noise", ""),
    "STAT": ("variance", ""),
    "DATA_IVAR": ("inverse variance", ""),
    "WHT": ("weight", ""),
    "DQ": ("mask", ""),
    "mask_extra_galaxies": ("mask", ""),
    "DET_SAMP": ("psf", ""),
    "CTX": ("other", ""),
    "VAR_POISSON": ("other", ""),
    "OVER_SAMPLE_SIZE_PIXELIZATION": ("other", "PIXELIZATION"),
    "NOISEFREE": ("other", ""),
    "PSF_RMS": ("unknown", ""),
    "CHIP1": ("unknown", "CHIP1"),
    "J0946+1006": ("unknown", "J0946+1006"),
    "étoile": ("unknown", "ÉTOILE"),
}


@pytest.mark.parametrize("name", ROLES)
def test_names_have_the_role_that_instruments_give_them(name):
    kind, band = ROLES[name]
    assert role_of(name) == Role(kind, band)


def test_a_number_is_a_version():
    assert role_of("SCI2") == role_of("SCI", 2) == role_of("sci_2") == Role("science", version=2)
    assert role_of("ERR_2") == Role("noise", version=2)
    assert role_of("F814W").version == 1


@pytest.mark.parametrize(("one", "other"), [("J0946+1006", "J0946-1006"), ("cut_1", "cut_2"), ("透镜一", "透镜二")])
def test_names_of_different_objects_differ(one, other):
    assert role_of(f"{one}_rms").band != role_of(f"{other}_rms").band
