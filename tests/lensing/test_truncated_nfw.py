"""How heavy and how concentrated halos are."""

import numpy as np
import pytest
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.LensModel.lens_model import LensModel
from scipy import integrate, stats

from oddlens.config.presets import preset_simulation
from oddlens.lensing import scene, substructure_classes, truncated_nfw
from oddlens.lensing.cosmology import COSMOLOGY
from oddlens.lensing.truncated_nfw import TruncatedNfw
from oddlens.schema.config_errors import ConfigError

# z, M200 in 1e12 solar masses / h, and the concentration by colossus 1.4.0, model dutton14, a separate implementation.
COLOSSUS = [
    *[(0, 0.01, 12.793814), (0, 1, 8.035261), (0.25, 0.01, 11.273957), (0.25, 100, 4.721461)],
    *[(0.5, 0.01, 9.791962), (0.5, 1, 6.529346), (0.75, 1, 5.875463), (0.75, 100, 4.036845)],
]
COUNT = 400


def drawn(cls, above, count=COUNT, base="model_a"):
    simulation = preset_simulation(base, above={"substructure": {cls: above}})
    return scene.draw_scenes(simulation, 3, "halos", "test", cls, np.arange(count))


def subhalo(nfw, **others):
    place = {"radius_ratio": {"uniform": [0.6, 1.3]}, "angle_deg": {"uniform": [0, 360]}}
    return {**place, "mass_msun": {"loguniform": [1e8, 1e11]}, "truncated_nfw": nfw, **others}


@pytest.mark.parametrize(("z", "mass", "expected"), COLOSSUS)
def test_the_relation_is_that_of_another_implementation(z, mass, expected):
    assert truncated_nfw.dutton_maccio(np.array(mass * 1e12 / COSMOLOGY.h), np.array(z)) == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize("tau", [0.5, 5.0, 20.0])
def test_the_total_mass_is_the_integral_of_the_density(tau):
    density = integrate.quad(
        lambda t: np.exp(2 * t) / (1 + np.exp(t)) ** 2 * tau**2 / (tau**2 + np.exp(2 * t)), -25, 25, limit=400
    )[0]
    assert truncated_nfw.total(tau, np) == pytest.approx(density, rel=1e-6)


@pytest.mark.parametrize("tau", [5.0, 20.0])
def test_a_subhalo_of_a_given_m200_deflects_as_lenstronomy_says(tau):
    scenes = drawn("subhalo", subhalo({"concentration": 30, "truncation_scale_radii": tau, "mass": "m200"}), 3)
    cosmo = LensCosmo(0.5, 1.0, cosmo=COSMOLOGY)
    y, x = np.random.default_rng(1).uniform(-2, 2, (2, 300))
    for k in range(3):
        q = {name: column[k] for name, column in scenes.substructure.items()}
        scale, alpha = cosmo.nfw_physical2angle(q["subhalo_m200_msun"], 30)
        centre = {"center_x": q["subhalo_x_arcsec"], "center_y": q["subhalo_y_arcsec"]}
        theirs = LensModel(["TNFW"]).alpha(x, y, [{"Rs": scale, "alpha_Rs": alpha, "r_trunc": tau * scale, **centre}])
        ours = substructure_classes.module("subhalo").deflections(q, y, x, np)
        np.testing.assert_allclose(ours, theirs[::-1], atol=1e-3 * np.abs(theirs).max())  # G, c and parsecs differ


def test_concentrations_scatter_about_the_relation():
    nfw = {"relation": "dutton_maccio", "scatter_dex": 0.11, "truncation_scale_radii": 20, "mass": "m200"}
    scenes = drawn("subhalo", subhalo(nfw))
    truth = scenes.truth
    mean = truncated_nfw.dutton_maccio(truth["heaviest_m200_msun"], scenes.lens["lens_redshift"])
    scatter = np.log10(truth["heaviest_concentration"] / mean)
    assert stats.kstest(scatter, stats.norm(0, 0.11).cdf).pvalue > 0.01
    assert stats.spearmanr(scatter, truth["heaviest_m200_msun"]).pvalue > 0.01
    np.testing.assert_allclose(np.log10(truth["heaviest_m200_msun"]).min(), 8, atol=0.05)
    assert set(truth["heaviest_truncation_scale_radii"]) == {20}


@pytest.mark.parametrize("mass", ["total", "m200"])
def test_total_mass_and_m200_go_together(mass):
    nfw = {"relation": "dutton_maccio", "truncation_scale_radii": 10, "mass": mass}
    truth = drawn("subhalo", subhalo(nfw), 50).truth
    ratio = truncated_nfw.total(10.0, np) / truncated_nfw.nfw_mass(truth["heaviest_concentration"])
    np.testing.assert_allclose(truth["heaviest_mass_msun"], truth["heaviest_m200_msun"] * ratio, rtol=1e-9)
    scatter = drawn("subhalo", subhalo({**nfw, "scatter_dex": 0}), 50).truth
    mean = truncated_nfw.dutton_maccio(scatter["heaviest_m200_msun"], np.array(0.5))
    np.testing.assert_allclose(scatter["heaviest_concentration"], mean, rtol=1e-12)


def test_a_population_follows_the_relation_too():
    cdm = {"truncated_nfw": {"relation": "dutton_maccio", "truncation_scale_radii": 4, "mass": "m200"}}
    scenes = drawn("cdm", cdm, 20)
    q, used = scenes.substructure, scenes.substructure["subhalo_area"] > 0
    scatter = np.log10(q["subhalo_concentration"] / truncated_nfw.dutton_maccio(q["subhalo_m200_msun"], np.array(0.5)))
    assert scatter[used].std() == pytest.approx(0.11, rel=0.1)
    sampled = preset_simulation("model_a").substructure["cdm"]["mass_msun"]["powerlaw"]
    assert q["subhalo_m200_msun"][used].max() <= sampled[2]
    assert scenes.truth["heaviest_m200_msun"].shape == (20,)


def test_halos_of_every_profile_are_at_the_same_places():
    nfw = {"concentration": 60, "truncation_scale_radii": 20}
    variants = [
        subhalo(nfw),
        subhalo({**nfw, "concentration": 15}),
        subhalo(None, truncation_arcsec=0.2),
    ]
    scenes = [drawn("subhalo", each, 20, "model_b") for each in variants]
    for other in scenes[1:]:
        for axis in "yx":
            name = f"subhalo_{axis}_arcsec"
            np.testing.assert_array_equal(scenes[0].substructure[name], other.substructure[name])
    q = scenes[0].substructure
    ratio = np.hypot(q["subhalo_y_arcsec"], q["subhalo_x_arcsec"]) / scenes[0].lens["einstein_radius_arcsec"]
    assert 0.6 <= ratio.min() < ratio.max() <= 1.3


@pytest.mark.parametrize(
    ("priors", "words"),
    [
        ({"truncation_scale_radii": 4}, "concentration or relation"),
        ({"truncation_scale_radii": 4, "concentration": 9, "relation": "dutton_maccio"}, "concentration or relation"),
        ({"truncation_scale_radii": 4, "relation": "ludlow"}, "dutton_maccio"),
        ({"truncation_scale_radii": 4, "concentration": 9, "mass": "m500"}, "m200"),
    ],
)
def test_contradicting_halos_are_refused(priors, words):
    with pytest.raises(ConfigError) as error:
        preset_simulation("model_a", above={"substructure": {"subhalo": subhalo(priors)}})
    assert words in str(error.value)


@pytest.mark.parametrize(
    "priors",
    [
        subhalo(None),
        subhalo({"concentration": 9, "truncation_scale_radii": 4}, truncation_arcsec=0.2),
        subhalo({"concentration": 9, "truncation_scale_radii": 4}, radius_arcsec=1.0),
        subhalo({"concentration": 9, "truncation_scale_radii": 4}, radius_ratio=None),
    ],
)
def test_a_subhalo_has_one_profile_and_one_place(priors):
    with pytest.raises(ConfigError, match="one of them"):
        preset_simulation("model_a", above={"substructure": {"subhalo": priors}})


def test_a_mass_fraction_counts_total_masses():
    m200 = {"number": None, "mass_fraction": 0.01}
    m200["truncated_nfw"] = {"concentration": 9, "truncation_scale_radii": 4, "mass": "m200"}
    with pytest.raises(ConfigError, match="total masses"):
        preset_simulation("model_a", above={"substructure": {"cdm": m200}})


def test_a_section_survives_a_round_trip_through_plain_data():
    section = TruncatedNfw(relation="dutton_maccio", truncation_scale_radii=20, mass="m200")
    assert TruncatedNfw.model_validate(section.plain()) == section
