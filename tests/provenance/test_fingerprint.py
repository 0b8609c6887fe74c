"""Which edits change a fingerprint: changes of meaning, not of wording or layout."""

import pytest

from oddlens.provenance import fingerprint
from oddlens.provenance.fingerprint import code

CODE = '''"""What it is."""

LIMIT = 3
"""The largest number."""


def checked(number):
    """A number below the limit."""
    # Why it is so.
    if number > LIMIT:
        raise ValueError(f"{number} is too large")
    say(f"{number} is fine")
    return {"kind": "small", "number": number}
'''


def meaning_of(tmp_path, text):
    path = tmp_path / "module.py"
    path.write_text(text)
    code.cache_clear()
    return code(path).meaning


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("What it is.", "What it was"),
        ("The largest number.", "The largest number that counts."),
        ("A number below the limit.", "A number."),
        ("    # Why it is so.\n", ""),
        ("number > LIMIT", "(\n        number > LIMIT\n    )"),
        ("is too large", "exceeds {LIMIT}"),
        ("is fine", "will do"),
        ('"small"', "'small'"),
    ],
)
def test_wording_and_layout_do_not_change_the_fingerprint(tmp_path, before, after):
    assert CODE.count(before) == 1
    assert meaning_of(tmp_path, CODE.replace(before, after)) == meaning_of(tmp_path, CODE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("number > LIMIT", "number >= LIMIT"),
        ("LIMIT = 3", "LIMIT = 4"),
        ("ValueError", "TypeError"),
        ('"small"', '"large"'),
        ('"number": number', '"number": str(number)'),
    ],
)
def test_changes_of_meaning_change_the_fingerprint(tmp_path, before, after):
    assert CODE.count(before) == 1
    assert meaning_of(tmp_path, CODE.replace(before, after)) != meaning_of(tmp_path, CODE)


def test_the_wording_files_exist():
    assert all((fingerprint._PACKAGE / name).is_file() for name in fingerprint.WORDING_FILES)
