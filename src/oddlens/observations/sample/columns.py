"""The columns of a sample: what its sheet may say of each image, and the words that other projects use for it."""

ROLES = {
    "train": ("train", "training"),
    "contaminant": ("contaminant", "contaminants"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval"),
}
"""The pools, and the names that folders and sheets have for them."""
SYNONYMS = {
    "file": ("file_name", "filename", "path", "file_loc", "data", "image"),
    "role": ("split", "pool"),
    "label": ("class",),
    "object": ("name", "id", "object_id"),
    "noise": ("noise_map",),
}
"""Columns, and the names that count as theirs if a sheet lacks them."""
COMPANIONS = ("noise", "psf", "mask")
"""Columns with files that belong to an image."""
CAMERA = ("noise_gain", "noise_background", "psf_fwhm_pixels")
"""Columns with what is known of the camera of an image: a pixel of brightness m has the noise variance
noise_gain m + noise_background."""
TEXT = ("file", "role", "label", "object", "band", *COMPANIONS, "sha256")
"""Columns that are text, whatever their values."""
KNOWN = (*TEXT, "pixel_scale_arcsec", *CAMERA)
"""Columns with a meaning. Numbers in other columns are properties of the images, such as a redshift."""


def role_of(word: str) -> str | None:
    """The pool that a word means; None if it means none."""
    return next((role for role, names in ROLES.items() if word.lower() in names), None)
