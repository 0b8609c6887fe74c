"""The table and the pages of fits of real lenses."""

import numpy as np
import pandas as pd
import pytest

from oddlens.observations.modelling.mass_scan import MassScan
from oddlens.observations.modelling.planted import TWIN_COLUMNS
from oddlens.observations.modelling.result_files import WrittenFit
from oddlens.results.pages.lens_fit_pages import write_lens_page, write_summary
from oddlens.results.tables.lens_fits import (
    COLUMNS,
    LensTwins,
    above_control,
    lens_fits_table,
    planted_errors,
    published_values,
    rank_correlation,
)

PER_AREA = 1e11


CONTROLS = (30.0, 2.0), (8.0, 9.0), (1.0, 4.0)
"""Gains of lenses, and of their controls."""
BESIDE = 0.5
"""The part of these that each has beside the other."""


def scan(area_sigma=1e-3):
    along = np.linspace(-1, 1, 21)
    field = np.full((21, 21), area_sigma)
    return MassScan(along, np.zeros_like(field), np.zeros_like(field), field)


def fit(name="SDSSJ0946+1006", gain=30.0, control=2.0):
    value = {"value": 1.0, "error": 0.01}
    names = ("einstein_radius", "slope", "shear_1", "shear_2")
    mass = {"y_arcsec": 1.04, "x_arcsec": -0.65, "area_arcsec2": 0.02, "area_error_arcsec2": 0.002, "significance": 8.0}
    mass["counter_images"] = [{"y_arcsec": -0.9, "x_arcsec": 1.4, "pixels": 50, "significance_without": 5.7}]
    place = {"y_arcsec": 0.4, "x_arcsec": 0.5, "area_arcsec2": -0.01}
    numbers = {
        "name": name,
        "lens": {**dict.fromkeys(names, value), "axis_ratio": 0.9},
        "fit": {"reduced_chi_square": 1.0, "explains_frame": True, "converged": True},
        "scan": {"significance": 8.0, "msun_per_arcsec2": PER_AREA},
        "source": {"clumps": [{"y_arcsec": 0.1, "x_arcsec": 0.2}]},
        "masses": [mass | {"log_evidence_gain": gain, "mass_msun": 2e9, "mass_within_1_kpc_msun": 1e9}],
        "controls": [place | {"log_evidence_gain": control}],
        "mass_beside_control": mass | {"log_evidence_gain": BESIDE * gain},
        "control_beside_mass": place | {"log_evidence_gain": BESIDE * control},
        "notes": ["a note with <b>"],
    }
    return WrittenFit(numbers, object(), scan())


def smooth(gains):
    return pd.DataFrame({"log_evidence_gain": gains}).reindex(columns=TWIN_COLUMNS)


def planted(count=60):
    """Masses that are detected where the scan predicts more than 10 sigma, with 10 % too much mass."""
    area = np.geomspace(1e-3, 0.1, count)
    gain = np.where(area > 0.01, 50.0, -5.0)
    gain[::7] *= -1  # no step is perfect
    true = {"true_area": area, "true_y": 0.5, "true_x": -0.5}
    found = {"area": 1.1 * area, "y": 0.53, "x": -0.54, "log_evidence_gain": gain}
    return pd.DataFrame(true | found).reindex(columns=TWIN_COLUMNS)


FAILED = LensTwins(WrittenFit({"name": "x", "problem": "no <arcs>"}, None, None), smooth([]), smooth([]))


def test_a_line_has_the_fit_its_twins_and_published_values():
    twins = LensTwins(fit(), smooth([1.0, 2.0, 40.0, np.nan, -3.0, 5, 6, 7, 8]), planted())
    table = lens_fits_table({("mine", "SDSSJ0946+1006"): twins})
    line = table.iloc[0]
    assert list(table.columns) == COLUMNS
    assert line["false_alarm_probability"] == pytest.approx(2 / 10)
    assert line["published_einstein_radius"] == 1.38
    assert line["published_log_evidence_gain"] == 58.6
    assert 5e-3 < line["detectable_50_area"] < 2e-2
    assert line["detectable_90_area"] > line["detectable_50_area"]
    assert line["detectable_50_msun"] == pytest.approx(line["detectable_50_area"] * PER_AREA)
    assert pd.isna(line["problem"])


def test_a_lens_with_few_twins_has_the_limits_of_all():
    many = LensTwins(fit(), smooth([1.0, 2.0]), planted())
    none = LensTwins(fit("other"), smooth([]), smooth([]))
    table = lens_fits_table({("a", "SDSSJ0946+1006"): many, ("a", "other"): none, ("a", "x"): FAILED})
    assert table["detectable_50_area"].iloc[1] == pytest.approx(table["detectable_50_area"].iloc[0])
    assert np.isnan(table["false_alarm_probability"].iloc[1])
    assert table["problem"].iloc[2] == "no <arcs>"
    assert np.isnan(table["detectable_50_area"].iloc[2])


def test_controls_of_all_lenses_say_how_often_errors_of_the_model_have_as_much_evidence():
    none = smooth([])
    lenses = {("a", str(gain)): LensTwins(fit(str(gain), gain, control), none, none) for gain, control in CONTROLS}
    table = lens_fits_table(lenses | {("a", "x"): FAILED})
    assert list(table["control_log_evidence_gain"][:3]) == [2.0, 9.0, 4.0]
    assert list(table["beside_control_log_evidence_gain"][:3]) == [15.0, 4.0, 0.5]
    assert list(table["control_beside_mass_log_evidence_gain"][:3]) == [1.0, 4.5, 2.0]
    np.testing.assert_allclose(table["control_probability"], [1 / 4, 2 / 4, 4 / 4, np.nan])


def test_a_lens_without_a_control_has_more_evidence_for_its_mass():
    alone = fit("alone", 3.0)
    alone.numbers.update(controls=[], control_beside_mass=None)
    none = smooth([])
    table = lens_fits_table(
        {("a", "alone"): LensTwins(alone, none, none), ("a", "b"): LensTwins(fit("b", 1.0), none, none)}
    )
    assert np.isnan(table["control_log_evidence_gain"].iloc[0])
    assert above_control(table) == 1
    np.testing.assert_allclose(table["control_probability"], [1 / 3, 2 / 3])


def test_errors_of_planted_masses_are_those_of_the_detected():
    found = planted_errors(LensTwins(fit(), smooth([1.0, 2.0]), planted()))
    assert 0 < len(found) < 60
    assert found["offset"].to_numpy() == pytest.approx(0.05)
    assert found["mass_error"].to_numpy() == pytest.approx(0.1)


@pytest.mark.parametrize("name", ["SDSSJ0946+1006", "SDSS J0946+1006", "J0946+1006", "sdssj0946+1006"])
def test_published_values_are_found_by_any_spelling(name):
    assert published_values(name)["einstein_radius_arcsec"] == 1.38


def test_nothing_is_published_of_other_lenses():
    assert published_values("my lens") == {}
    assert "log_evidence_gain" not in published_values("SDSSJ0109+1500")


def test_ranks_are_compared_where_both_are_known():
    table = pd.DataFrame(
        {"log_evidence_gain": [1, 2, 3, np.nan], "published_log_evidence_gain": [10, 20, 30, 5.0]}, dtype=float
    )
    assert rank_correlation(table) == (1.0, 3)
    assert np.isnan(rank_correlation(table[:2])[0])


def test_pages_have_the_lenses_their_problems_and_escape_names(tmp_path):
    lenses = {("a", "good"): LensTwins(fit(), smooth([1.0, 40]), planted()), ("a", "x"): FAILED}
    table = lens_fits_table(lenses)
    for (_, name), (_, line) in zip(lenses, table.iterrows(), strict=True):
        picture = tmp_path / "none.png"
        picture.write_bytes(b"")
        write_lens_page(tmp_path / f"{name}.html", dict(line) | {"summary": "all.html"}, lenses["a", name], picture)
    write_summary(tmp_path / "all.html", "mine", table, lenses, {key: f"{key[1]}.html" for key in lenses})
    summary, good, bad = ((tmp_path / f"{name}.html").read_text() for name in ("all", "good", "x"))
    assert "no &lt;arcs&gt;" in summary
    assert "no &lt;arcs&gt;" in bad
    assert "a note with &lt;b&gt;" in good
    assert 'href="good.html"' in summary
    assert not list(tmp_path.glob("*.twins.png"))
