"""Damaged image files are read or refused with one line."""

from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.observations.reading import image_files
from tiny_models import rings, write_fits


@given(st.lists(st.tuples(st.integers(0, 5759), st.integers(0, 255)), max_size=20), st.integers(0, 5760))
@example([(410, 0)], 5760)  # a card that has no value
@hypothesis_settings(max_examples=60, deadline=None)
def test_damaged_fits_is_read_or_refused(tmp_path_factory, damages, length):
    path = tmp_path_factory.mktemp("fits") / "image.fits"
    content = bytearray(write_fits(path, rings(1, 3)[0], PIXSCALE=0.4).read_bytes())
    for place, value in damages:
        content[place] = value
    path.write_bytes(content[:length])
    refused = None
    try:
        assert all(stack.images.ndim == 3 for stack in image_files.read(path))
    except ValueError as error:
        refused = str(error)
    assert refused is None or len(refused.splitlines()) == 1
