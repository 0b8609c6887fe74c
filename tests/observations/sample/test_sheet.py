"""Sample sheets: what their rows mean, and all mistakes at once."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oddlens.observations.sample.sheet import read_sheet


def sheet(folder, text, images=()):
    for name in images:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    path = folder / "samples.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_row_is_an_image(tmp_path):
    path = sheet(tmp_path, "file,role,label\na.npy,train,\nb.npy,test,cdm\n", ["a.npy", "b.npy"])
    table, notes = read_sheet(path)
    assert table["file"].tolist() == [str(tmp_path / "a.npy"), str(tmp_path / "b.npy")]
    assert table["role"].tolist() == ["train", "test"]
    assert table["label"].tolist() == ["", "cdm"]
    assert table["line"].tolist() == [2, 3]
    assert notes == []


@pytest.mark.parametrize(
    ("written", "role"), [("training", "train"), ("VAL", "validation"), ("dev", "validation"), ("eval", "test")]
)
def test_roles_have_the_names_of_other_projects(tmp_path, written, role):
    table, _ = read_sheet(sheet(tmp_path, f"file,split\na.npy,{written}\n", ["a.npy"]))
    assert table["role"].tolist() == [role]


def test_the_index_of_real_lenses_is_a_sheet(tmp_path):
    text = "name,pixel_scale_arcsec,data,z_lens\nJ0946,0.05,a.fits,0.222\nJ0252,0.05,b.fits,\n"
    table, notes = read_sheet(sheet(tmp_path, text, ["a.fits", "b.fits"]))
    assert table["object"].tolist() == ["J0946", "J0252"]
    assert table["pixel_scale_arcsec"].tolist() == [0.05, 0.05]
    assert np.array_equal(table["z_lens"], [0.222, np.nan], equal_nan=True)
    assert len(notes) == 2


def test_other_columns_are_numbers_if_all_their_values_are(tmp_path):
    text = "file,magnitude,tile\na.npy,21.5,7\nb.npy,22,7b\n"
    table, _ = read_sheet(sheet(tmp_path, text, ["a.npy", "b.npy"]))
    assert table["magnitude"].tolist() == [21.5, 22.0]
    assert table["tile"].tolist() == ["7", "7b"]


def test_identifiers_keep_their_digits(tmp_path):
    text = "file,object,survey_id\na.npy,00753391004219,75339100421988123\n"
    table, _ = read_sheet(sheet(tmp_path, text, ["a.npy"]))
    assert table["object"].tolist() == ["00753391004219"]
    assert table["survey_id"].tolist() == ["75339100421988123"]


def test_a_range_stands_for_many_images(tmp_path):
    table, _ = read_sheet(sheet(tmp_path, "file,role\nstack.npy[3:6],test\n", ["stack.npy"]))
    assert table["file"].tolist() == [f"{tmp_path}/stack.npy[{k}]" for k in (3, 4, 5)]
    assert table["role"].tolist() == ["test"] * 3


def test_comments_and_empty_lines_are_left_out_and_lines_are_counted(tmp_path):
    table, _ = read_sheet(sheet(tmp_path, "# our lenses\nfile\n\na.npy\n# more\nb.npy\n", ["a.npy", "b.npy"]))
    assert table["line"].tolist() == [4, 6]


@pytest.mark.parametrize(
    "text", ["\ufefffile,role\r\na.npy,train\r\n", "file\trole\na.npy\ttrain\n", "file;role\na.npy;train\n"]
)
def test_sheets_of_spreadsheets_are_read(tmp_path, text):
    table, _ = read_sheet(sheet(tmp_path, text, ["a.npy"]))
    assert (table["file"].tolist(), table["role"].tolist()) == ([str(tmp_path / "a.npy")], ["train"])


def test_all_mistakes_are_reported_at_once_with_their_lines(tmp_path):
    text = "file,role\na.npy,trian\nmissing.npy,train\nhttps://x.org/a.fits,test\n,test\n"
    with pytest.raises(ValueError, match="line 2") as refusal:
        read_sheet(sheet(tmp_path, text, ["a.npy"]))
    lines = str(refusal.value).splitlines()
    words = [("line 2", "'trian'", "'train'"), ("line 3", "missing.npy"), ("line 4", "address"), ("line 5",)]
    assert all(word in line for line, of_line in zip(lines, words, strict=True) for word in of_line)


def test_many_mistakes_are_counted(tmp_path):
    text = "file\n" + "".join(f"missing{k}.npy\n" for k in range(332))
    with pytest.raises(ValueError, match="and 312 more"):
        read_sheet(sheet(tmp_path, text))


def test_a_number_that_is_none_is_refused_with_its_line(tmp_path):
    with pytest.raises(ValueError, match=r"line 3.*pixel_scale_arcsec.*'0,05'"):
        read_sheet(sheet(tmp_path, 'file,pixel_scale_arcsec\na.npy,0.05\nb.npy,"0,05"\n', ["a.npy", "b.npy"]))


@pytest.mark.parametrize("text", ["role\ntrain\n", "file,index\na.npy,1\n", "file\n", ""])
def test_a_sheet_without_images_or_with_our_columns_is_refused(tmp_path, text):
    with pytest.raises(ValueError, match=r"samples\.csv"):
        read_sheet(sheet(tmp_path, text, ["a.npy"]))


NAMES = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters='/"#[]|,;'), min_size=1, max_size=20
)


@given(name=NAMES.map(str.strip).filter(lambda name: name not in ("", ".", "..")), label=NAMES.map(str.strip))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_printable_name_is_read_back(tmp_path, name, label):
    path = sheet(tmp_path, f'file,label\n"{name}.npy","{label}"\n', [f"{name}.npy"])
    table, _ = read_sheet(path)
    assert table["file"].tolist() == [str(tmp_path / f"{name}.npy")]
    assert table["label"].tolist() == [label]
