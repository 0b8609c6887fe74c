"""References to parts of files."""

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("name", ["lens#SCI", "lens[3]", "lens#a[3].fits"])
def test_an_existing_path_is_no_reference(tmp_path, name):
    (tmp_path / name).touch()
    assert Reference.parse(tmp_path / name) == Reference(tmp_path / name)
