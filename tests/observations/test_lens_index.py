"""Indices of real lenses: any content is read or refused, and labels are unique."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from conftest import ROOT
from oddlens.observations.lens_index import LensEntry, input_files, read_lenses, with_unique_labels

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
    try:
        assert with_unique_labels(read_lenses(path, "any"))
    except ValueError as error:
        refused = str(error)
    assert str(path) in refused
    assert input_files(path)[0] == path


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=4)), min_size=1, max_size=6))
@hypothesis_settings(max_examples=200, deadline=None)
def test_labels_and_slugs_are_unique(names):
    found = with_unique_labels([LensEntry(name, {}, band) for name, band in names])
    slugs = [lens.slug.lower() for lens in found]
    assert all("/" not in slug and not slug.startswith(".") for slug in slugs)
    assert len(set(slugs)) == len(slugs)
