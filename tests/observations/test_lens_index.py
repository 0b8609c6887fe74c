"""Indices of real lenses: any content is read or refused, and labels are unique."""

import codecs
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import ROOT
from oddlens.observations.lens_index import LensEntry, input_files, labelled_lens, read_lenses, with_unique_labels

LENSES = ROOT.parent / "shared" / "data" / "real-lenses"


@pytest.mark.skipif(not LENSES.is_dir(), reason="the real lenses are not here")
def test_the_downloaded_lenses_are_the_shared_ones():
    sums = [line.split() for line in (ROOT / "config/real-lenses.sha256").read_text().splitlines()]
    assert {(total, file) for total, file, _ in sums} <= {
        tuple(line.split()) for line in (LENSES / "SHA256SUMS").read_text().splitlines()
    }
    ours = read_lenses(ROOT / "config/real-lenses.csv", "ours")
    assert [lens.object for lens in ours] == [lens.object for lens in read_lenses(LENSES, "shared")]
    assert {Path(p.rpartition("#")[0] or p).name for lens in ours for p in lens.paths.values()} <= {
        Path(file).name for _, file, _ in sums
    }


@given(st.binary(max_size=300))
@hypothesis_settings(max_examples=200, deadline=None)
def test_any_bytes_are_an_index_or_are_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("index") / "index.csv"
    path.write_bytes(content)
    refused = str(path)
    for read_index in (lambda: with_unique_labels(read_lenses(path, "any")), lambda: input_files(path)[0] == path):
        try:
            assert read_index()
        except ValueError as error:
            refused = str(error)
        assert str(path) in refused


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=4)), min_size=1, max_size=6))
@hypothesis_settings(max_examples=200, deadline=None)
def test_labels_and_slugs_are_unique(names):
    found = with_unique_labels([LensEntry(name, {}, band) for name, band in names])
    slugs = [lens.slug.lower() for lens in found]
    assert all("/" not in slug and not slug.startswith(".") for slug in slugs)
    assert len(set(slugs)) == len(slugs)


def test_the_file_that_states_a_scale_is_an_input(tmp_path):
    """info.json beside an image, of an index and alone: a changed one scores the lens again."""
    image, info = tmp_path / "lens/data.fits", tmp_path / "lens/info.json"
    image.parent.mkdir()
    image.touch()
    info.touch()
    (tmp_path / "index.csv").write_text("name,pixel_scale_arcsec,data\na,0.05,lens/data.fits\n")
    assert input_files(image) == [image, info]
    assert input_files(tmp_path / "lens") == [image, info]
    assert input_files(tmp_path) == [tmp_path / "index.csv", image, info]
    info.unlink()
    assert input_files(image) == [image]


def test_long_names_keep_their_numbers():
    slugs = {lens.slug for lens in with_unique_labels([LensEntry("x" * 300, {})] * 12)}
    assert len(slugs) == 12
    assert max(map(len, slugs)) < 110


# --- as spreadsheets write it -----------------------------------------------------------------------------------------

PLAIN = "name,band,pixel_scale_arcsec,data,noise\n007,F444W,0.05,a.fits,n.fits\n17000000000000000001,,4e-2,b.fits,\n"


@pytest.fixture
def folder(tmp_path):
    """With the files that the indices name."""
    for name in ("a.fits", "b.fits", "n.fits", "with, comma.fits"):
        (tmp_path / name).touch()
    return tmp_path


def read(folder, content, name="lenses.csv"):
    content = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(content)
    return read_lenses(folder / name, "any")


@pytest.mark.parametrize(
    ("content", "reading"),
    [
        (PLAIN, ""),
        (PLAIN.replace(",", ";"), "semicolons between columns"),
        (PLAIN.replace(",", "\t"), "tabs between columns"),
        (PLAIN.replace(",", " | "), "bars between columns"),
        (PLAIN.replace(",", ", "), ""),
        (PLAIN.replace("name,band,pixel_scale", "Name, BAND ,Pixel_Scale"), ""),
        ("\n".join('"' + line.replace(",", '","') + '"' for line in PLAIN.splitlines()), ""),
        ("\n".join('"' + line.replace(",", '", "') + '"' for line in PLAIN.splitlines()), ""),
        (PLAIN.replace("\n", "\r\n"), ""),
        (PLAIN.replace("\n", "\r"), ""),
        (PLAIN.replace("\n", "\n\n") + ",,,,\n", ""),
        ("\ufeff" + PLAIN, ""),
        (PLAIN.encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"), "UTF-16"),
        (PLAIN.replace(",", ";").encode("utf-32"), "semicolons between columns; UTF-32"),
        ("sep=;\r\n" + PLAIN.replace(",", ";"), "semicolons between columns"),
        (PLAIN.replace("noise", "noise,Ra").replace("n.fits", "n.fits,1.5"), "not used: ra"),
    ],
)
def test_spreadsheets_of_any_kind_are_read_alike(folder, capsys, content, reading):
    first, second = read(folder, content)
    assert (first.object, first.band, first.pixel_scale_arcsec, first.problem) == ("007", "F444W", 0.05, "")
    assert first.paths == {"data": str(folder / "a.fits"), "noise": str(folder / "n.fits")}
    assert (second.object, second.pixel_scale_arcsec, second.problem) == ("17000000000000000001", 0.04, "")
    told = capsys.readouterr().err
    assert (reading in told, bool(told)) == (True, bool(reading))


def test_tabs_make_an_index_of_their_own_suffix(folder):
    assert len(read(folder, PLAIN.replace(",", "\t"), "lenses.tsv")) == 2


def test_cells_in_quotation_marks_may_hold_the_separator(folder):
    (lens,) = read(folder, 'name,pixel_scale_arcsec,data\n"a, b",0.05,"with, comma.fits"\n')
    assert (lens.object, lens.problem) == ("a, b", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PLAIN.replace("007", "étoile").encode("latin-1"), r"line 2: b'\xe9' is not UTF-8"),
        (PLAIN.encode("utf-16-le"), "null bytes"),
        (b"PK\x03\x04" + bytes(50), "is a spreadsheet"),
        ("name,data\na,b.fits\n", "no column 'pixel_scale_arcsec'"),
        ("object;pixel_scale;data\na;0.05;b.fits\n", "no column 'name' and no column 'pixel_scale_arcsec'"),
        ("nmae,pixel_scale_arcsec,data\na,0.05,b.fits\n", "Did you mean 'nmae'?"),
        ("Name,name,pixel_scale_arcsec,data\na,a,0.05,b.fits\n", "the column 'name' twice"),
        ("name,pixel_scale_arcsec,data\n", "no rows"),
        ("", "no column 'name'"),
        ('name,pixel_scale_arcsec,data\na,0.05,b.fits\n"b,0.05,b.fits\nc,0.05,b.fits\n', "line 3: cannot be read"),
    ],
)
def test_an_index_that_cannot_be_read_is_refused_with_what_to_do(folder, content, words):
    with pytest.raises(ValueError, match=re.escape(words)) as error:
        read(folder, content)
    assert str(error.value).startswith(str(folder / "lenses.csv"))
    assert "\n" not in str(error.value)


def test_all_mistakes_of_an_index_are_reported_with_their_lines(folder):
    rows = [
        "good,0.05,a.fits,",
        "",
        ",0,,n.fits",
        "comma,0,05,a.fits,",
        "extra,0.05,a.fits,n.fits,",
        'b,"0,05",a.fits,',
        "c,0_05,nowhere.fits,no.fits",
    ]
    lenses = read(folder, "\n".join(["name,pixel_scale_arcsec,data,noise", *rows]))
    problems = [lens.problem.removeprefix(f"{folder / 'lenses.csv'}, ") for lens in lenses]
    assert problems[0] == ""
    assert problems[1].startswith("line 4: 'name' is empty; pixel_scale_arcsec is '0': it must be a number above 0")
    assert problems[1].endswith("'data' is empty")
    assert problems[2].startswith("line 5: pixel_scale_arcsec is '0'")
    assert "it has 5 cells, and the first line 4" in problems[2]
    assert problems[3] == ""
    assert "line 7: pixel_scale_arcsec is '0,05'" in problems[4]
    assert problems[4].endswith("write a decimal point, 0.05")
    assert "line 8: pixel_scale_arcsec is '0_05'" in problems[5]
    assert problems[5].endswith("there is no file: data nowhere.fits, noise no.fits (relative to the index)")


def test_a_decimal_comma_among_semicolons_is_named(folder):
    (lens,) = read(folder, "name;pixel_scale_arcsec;data\na;0,05;a.fits\n")
    assert "write a decimal point, 0.05" in lens.problem


def test_an_index_takes_no_other_pixel_scale(folder):
    read(folder, PLAIN)
    with pytest.raises(ValueError, match="column of pixel scales"):
        read_lenses(folder / "lenses.csv", "any", pixel_scale_arcsec=0.05)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("a,0,05,a.fits", "it has 4 cells, and the first line 3"),
        ('"a\nb",0.05,a.fits', "a cell goes on in the next line"),
    ],
)
def test_cells_that_cannot_be_told_apart_are_reported(folder, row, words):
    (lens,) = read(folder, f"name,pixel_scale_arcsec,data\n{row}\n")
    assert f"line 2: {words}" in lens.problem


# --- redshifts --------------------------------------------------------------------------------------------------------


def with_redshifts(folder, lens, source):
    (lens,) = read(folder, f"name,pixel_scale_arcsec,data,z_lens,z_source\na,0.05,a.fits,{lens},{source}\n")
    return lens


def test_redshifts_are_read_and_may_be_unknown(folder):
    assert with_redshifts(folder, "0.222", "0.609").redshifts == (0.222, 0.609)
    unknown = with_redshifts(folder, "", "")
    assert (unknown.redshifts, unknown.problem) == (None, "")


@pytest.mark.parametrize(("lens", "source"), [("0.6", "0.2"), ("0.2", ""), ("", "0.6"), ("x", "0.6"), ("0", "inf")])
def test_impossible_redshifts_are_a_problem_of_their_row(folder, lens, source):
    entry = with_redshifts(folder, lens, source)
    assert "0 < z_lens < z_source" in entry.problem
    assert (lens or source) in entry.problem


def test_a_lens_is_found_by_the_name_of_its_files(folder):
    (folder / "lenses.csv").write_text("name,pixel_scale_arcsec,data\na b,0.05,a.fits\na b,0.04,b.fits\n")
    slugs = [lens.slug for lens in with_unique_labels(read_lenses(folder / "lenses.csv", "any"))]
    assert [labelled_lens(slug, folder / "lenses.csv", "any").pixel_scale_arcsec for slug in slugs] == [0.05, 0.04]
