import pytest
import yaml

from conftest import ROOT
from oddlens.config.merging import laid_over
from oddlens.config.study import Study, parse_study
from oddlens.config.training_plan import training_sets
from oddlens.schema.config_errors import ConfigError
from refusals import refused

OTHERS = [
    *sorted(p for p in (ROOT / "config").glob("*.yaml") if p.name != "config.yaml"),
    ROOT / "tests" / "config.yaml",
]


def test_the_default_study_is_valid(config):
    study = parse_study(config)
    assert list(study.datasets) == ["model_a", "model_b"]
    assert training_sets(study, study.datasets["model_a"].pools)[0] == "none-0"


@pytest.mark.parametrize("path", OTHERS, ids=lambda path: path.stem)
def test_the_other_studies_are_valid_over_the_default(config, path):
    over = yaml.safe_load(path.read_text())
    assert parse_study(laid_over(config, over)).study == over["study"]


def test_a_valid_study_survives_a_round_trip_through_plain_data(config):
    plain = parse_study(config).plain()
    again = Study.model_validate(yaml.safe_load(yaml.safe_dump(plain)))
    assert again.plain() == plain


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("seeed", 1, ["seeed: unknown key", "Did you mean 'seed'?"]),
        ("training.epoch", 3, ["training.epoch: unknown key", "Did you mean 'epochs'?"]),
        ("training.epochs", "many", ["training.epochs", "'many'"]),
        ("training.batch_size", 0, ["training.batch_size", "greater than 0", "0"]),
        ("training.precision", "float16", ["training.precision", "'float32' or 'bfloat16'", "'float16'"]),
        ("datasets.model_a.preset", "modle_a", ["datasets.model_a.preset", "Did you mean 'model_a'?"]),
        ("datasets.model_a.camera.pixel", 3, ["datasets.model_a.camera.pixel: unknown key", "Did you mean 'pixels'?"]),
        ("datasets.model_a.camera.psf.pixels", 20, ["datasets.model_a.camera.psf.pixels", "20 is even", "21"]),
        ("datasets.model_a.camera.psf.pixels", 1, ["camera.psf.pixels", "greater than or equal to 3", "1"]),
        ("datasets.model_a.camera.psf.fwhm_arcsec", 0, ["camera.psf.fwhm_arcsec", "[0, 0]", "allowed is [0.001, inf]"]),
        (
            "datasets.model_a.camera.psf.fwhm_arcsec",
            5,
            ["datasets.model_a.camera.psf", "5 arcsec", "21 pixels of 0.2 arcsec", "raise psf.pixels"],
        ),
        (
            "datasets.model_a.camera.psf.profile",
            "moffat",
            ["datasets.model_a.camera.psf", "moffat_beta goes with profile moffat", "moffat"],
        ),
        (
            "datasets.model_a.camera.psf.moffat_beta",
            3,
            ["datasets.model_a.camera.psf", "moffat_beta goes with profile moffat", "the profile is airy"],
        ),
        (
            "datasets.model_a.camera.psf.profile",
            "arry",
            ["camera.psf.profile", "'airy', 'gaussian' or 'moffat'", "'arry'"],
        ),
        ("datasets.model_a.camera.exposure_s", 0, ["datasets.model_a.camera.exposure_s", "allowed is [0.001, inf]"]),
        ("datasets.model_a.camera.error_sigma", 0, ["datasets.model_a.camera.error_sigma", "greater than 0"]),
        ("datasets.model_a.camera.over_sampling", 0, ["camera.over_sampling", "greater than or equal to 1"]),
        ("datasets.model_a.camera.noise", "gauss", ["camera.noise", "'poisson' or 'none'", "'gauss'"]),
        ("datasets.model_a.camera.sky_per_arcsec2", -1, ["camera.sky_per_arcsec2", "[-1, -1]", "allowed is [0, inf]"]),
        ("datasets.model_a.camera.read_noise_electrons", -1, ["camera.read_noise_electrons", "allowed is [0, inf]"]),
        ("datasets.model_a.camera.noise_correlation_pixels", 20, ["noise_correlation_pixels", "allowed is [0, 10]"]),
        ("datasets.model_a.lens.mass_msun", -1e12, ["datasets.model_a.lens.mass_msun", "-1e+12", "[1e+06, inf]"]),
        (
            "datasets.model_a.lens.mass_msun",
            {"normal": [1e12, 1e11]},
            ["datasets.model_a.lens.mass_msun", "[-inf, inf]", "allowed is [1e+06, inf]"],
        ),
        (
            "datasets.model_a.lens.ellipticity",
            {"axis_ratio": 1.2, "angle_deg": 0},
            ["datasets.model_a.lens.ellipticity.axis_ratio", "1.2", "allowed is [0.2, 1]"],
        ),
        ("datasets.model_a.lens.ellipticity", {"axis_ratio": 0.8}, ["lens.ellipticity.angle_deg: missing"]),
        (
            "datasets.model_a.lens.multipole_4",
            {"strength": -0.01, "angle_deg": 0},
            ["datasets.model_a.lens.multipole_4.strength", "-0.01", "allowed is [0, 0.2]"],
        ),
        ("datasets.model_a.lens.multipole_5", {}, ["multipole_5: unknown key", "Did you mean 'multipole_4'?"]),
        ("datasets.model_a.lens.conserve_mass", "perhaps", ["datasets.model_a.lens.conserve_mass", "'perhaps'"]),
        (
            "datasets.model_a.substructure.cdm.mass_msun",
            -1e9,
            ["datasets.model_a.substructure.cdm.mass_msun", "-1e+09", "allowed is [0, inf]"],
        ),
        ("datasets.model_a.substructure.cdm.mass_fraction", 0.01, ["substructure.cdm", "give number or mass_fraction"]),
        ("datasets.model_a.substructure.vortex.axion_mass_ev", 1e-23, ["substructure.vortex", "either length_arcsec"]),
        (
            "datasets.model_a.substructure.subhalo",
            {"radius_arcsec": 1},
            ["substructure.subhalo.mass_msun: missing", "substructure.subhalo.mass_msun: missing"],
        ),
        (
            "datasets.model_a.substructure.cdm.truncated_nfw",
            {"concentration": 0, "truncation_scale_radii": 4},
            ["substructure.cdm.truncated_nfw.concentration", "allowed is [1, 100]"],
        ),
        ("datasets.model_a.source.redshift", {"uniform": [0.4, 2]}, ["redshift 0.5 and the source at 0.4"]),
        ("datasets.model_a.preset", ["model_a", "hts"], ["datasets.model_a.preset", "unknown preset 'hts'", "'hst'"]),
        ("datasets.model_a.substructure.cmd", {"a": 1}, ["unknown class 'cmd'", "Did you mean 'cdm'?"]),
        (
            "datasets.model_a.substructure.cdm.numbr",
            3,
            ["datasets.model_a.substructure.cdm.numbr: unknown key", "Did you mean 'number'?"],
        ),
        (
            "datasets.model_a.source.axis_ratio",
            {"uniform": [0.4, 1.5]},
            ["datasets.model_a.source.axis_ratio", "[0.4, 1.5]", "[0.05, 1]"],
        ),
        ("datasets.model_a.source.axis_ratio", {"unifrom": [0.4, 1]}, ["unifrom", "uniform"]),
        ("datasets.model_a.source.redshift", 0.4, ["lens.redshift must stay below source.redshift"]),
        ("datasets.model_a.images.contaminant", 100, ["images.contaminant is 100", "takes 400"]),
        ("contamination.images", 9500, ["contamination.images is 9500", "raise the pool"]),
        ("contamination.fractions.cdn", [0.1], ["unknown contaminant 'cdn'", "Did you mean 'cdm'?"]),
        ("contamination.fractions.cdm", [0.7], ["contamination.fractions.cdm", "0.7", "0.5"]),
        ("contamination.seeds", [], ["contamination.seeds", "at least 1"]),
        ("contamination.seeds", [1, 1], ["twice"]),
        ("detectors.dcea", {}, ["unknown detector 'dcea'", "Did you mean 'dcae'?"]),
        ("detectors.dcae.latnt", 3, ["detectors.dcae.latnt: unknown key", "Did you mean 'latent'?"]),
        ("detectors.dcae.latent", -3, ["detectors.dcae.latent", "greater than 0", "-3"]),
        ("detectors.rbm.visible", "gauss", ["detectors.rbm.visible", "'gaussian' or 'bernoulli'"]),
        ("detectors.dcae.training", {"epohs": 3}, ["detectors.dcae.training.epohs", "Did you mean 'epochs'?"]),
        ("study", "my study", ["study", "my study"]),
        ("training", [1], ["training: must map names", "[1]"]),
        ("detectors.dcae.training", "fast", ["detectors.dcae.training: must map names", "'fast'"]),
        ("detectors", None, ["detectors: must map names"]),
        ("datasets.model_a.images.test", 1, ["images.test", "2"]),
        ("datasets.model_a.substructure", None, ["datasets.model_a.substructure: missing"]),
        ("datasets.model_a.camera.pixel_scale_arcsec", float("inf"), ["pixel_scale_arcsec", "finite"]),
        ("contamination.fractions.cdm", [1e-5], ["contamination.fractions.cdm", "1e-05"]),
        ("contamination.fractions.cdm", [0.1, 0.1000001], ["two fractions agree"]),
    ],
)
def test_an_error_names_the_key_the_value_and_what_is_allowed(config, path, value, words):
    *parents, key = path.split(".")
    section = config
    for parent in parents:
        section = section.setdefault(parent, {})
    section[key] = value
    message = refused(config)
    for word in words:
        assert word in message, message


def test_all_errors_are_reported_at_once(config):
    config["seed"], config["training"]["epochs"] = -1, -1
    assert len(refused(config).splitlines()) >= 2


@pytest.mark.parametrize(
    ("publish", "words"),
    [
        ({"model_x": ["aae"]}, "publish: unknown data set 'model_x'. Known: model_a, model_b."),
        ({"model_a": ["aea"]}, "publish.model_a: unknown row 'aea'."),
        ({"model_a": ["oracle"]}, "publish.model_a: oracle "),
    ],
)
def test_only_rows_that_score_images_alone_are_published(config, publish, words):
    assert words in refused(config | {"publish": publish})


def test_errors_between_sections_are_reported_at_once(config):
    config["contamination"]["images"] = 9500
    config["detectors"]["few"] = {"like": "flux", "labels": {"cdm": 5}}
    config |= {"publish": {"model_x": ["aea"]}, "follow_up": {"model_a": {"row": "lensfti"}}}
    message = refused(config)
    places = ["contamination.images", "detectors.few.labels", "follow_up.model_a.row", "publish", "publish.model_x"]
    assert {line.split(":")[0].split(" ")[0] for line in message.splitlines()} == set(places)


def test_errors_of_data_sets_and_rows_are_reported_at_once(config):
    config["datasets"]["model_a"]["preset"] = "modle_a"
    config["detectors"] |= {"a": {"detector": "dcae", "latnt": 3, "wdith": 4}, "b": {"detector": "dcea"}}
    message = refused(config)
    for place in ("datasets.model_a.preset: ", "detectors.a.latnt: ", "detectors.a.wdith: ", "detectors.b: "):
        assert any(line.startswith(place) for line in message.splitlines()), message


@pytest.mark.parametrize(
    ("path", "renamed"),
    [
        ("starts", "fit_convergence"),
        ("follow", "follow_up"),
        ("detectors.lensfit.cells", "source_pixels"),
        ("detectors.lensfit.cell_scatter", "source_pixel_scatter"),
        ("detectors.infonce.told", "label_loss"),
    ],
)
def test_a_key_of_an_earlier_version_is_refused_with_its_name_now(config, path, renamed):
    *parents, key = path.split(".")
    section = config
    for parent in parents:
        section = section[parent]
    section[key] = 3
    assert refused(config) == f"{path}: this key was renamed to '{renamed}'"


FITTED = {"mine": {"path": "lenses", "fit": {}}}
NO_DATASETS = {"model_a": None, "model_b": None}


def test_a_study_that_only_fits_real_lenses_needs_no_data_set(config):
    study = parse_study(laid_over(config, {"datasets": NO_DATASETS, "real": FITTED}))
    assert not study.datasets
    assert study.real["mine"].fit.twins == 100


@pytest.mark.parametrize(
    ("real", "words"),
    [
        ({}, ["datasets", "none"]),
        ({"mine": "lenses"}, ["real", "data set that is simulated"]),
        ({"mine": {"path": "lenses", "fit": {"twin": 3}}}, ["real.mine.fit.twin", "twins"]),
        ({"mine": {"path": "lenses", "fit": {"twins_per_job": 0}}}, ["real.mine.fit.twins_per_job", "0"]),
    ],
)
def test_a_study_without_data_sets_fits_real_lenses(config, real, words):
    with pytest.raises(ConfigError) as refusal:
        parse_study(laid_over(config, {"datasets": NO_DATASETS, "real": real}))
    assert all(word in str(refusal.value) for word in words)
