import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddlens.files.names import printable, shown_name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"plain.fits", "plain.fits"),
        ("étoile 星.fits".encode(), "étoile 星.fits"),
        (b"lentille_\xe9toile.fits", r"lentille_\xe9toile.fits"),
        (b"two\nlines\x1b[31m\t.fits", r"two\nlines\x1b[31m\t.fits"),
        ("\u202estif.txt\xa0".encode(), r"\u202estif.txt\u00a0"),
        (rb"back\xe9slash", r"back\\xe9slash"),
    ],
)
def test_names_are_shown_on_one_printable_line(name, shown):
    assert shown_name(os.fsdecode(name)) == shown


@given(st.lists(st.binary(min_size=1, max_size=6), min_size=2, max_size=2, unique=True))
def test_different_names_are_shown_differently(names):
    first, second = (shown_name(os.fsdecode(name)) for name in names)
    assert first != second
    assert first.isprintable()
    first.encode()


def test_messages_keep_their_backslashes():
    assert printable("C:\\lens\nnext") == "C:\\lens\\nnext"
