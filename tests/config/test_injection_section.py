"""The config section `datasets.<name>.inject`: defaults, redshifts, errors that name the key."""

import pytest

from oddlens.config.files_dataset import FilesDataset
from oddlens.config.injection import Injection, fitted_simulation, injected_class, injected_masses
from oddlens.config.presets import preset_simulation
from oddlens.config.study import parse_study
from oddlens.data.pools import Pools
from oddlens.schema.config_errors import ConfigError


def injecting(config, **section):
    config["datasets"]["model_b"]["inject"] = section
    return parse_study(config).datasets["model_b"]


def test_nothing_is_injected_by_default(config):
    assert all(dataset.inject is None for dataset in parse_study(config).datasets.values())


def test_redshifts_are_the_means_of_the_simulation_by_default(config):
    dataset = injecting(config, masses_msun=[1e8, "1e9"])
    masses = injected_masses(dataset.inject, dataset)
    assert masses["masses_msun"] == [1e8, 1e9]
    assert (masses["lens_redshift"], masses["source_redshift"]) == (pytest.approx(0.5), pytest.approx(1.0))


def test_given_redshifts_count_and_are_needed_without_a_simulation(config):
    given = Injection(masses_msun=[1e9], redshifts={"lens": 0.2, "source": 0.7}, truncation_arcsec=0)
    masses = injected_masses(given, None)
    assert (masses["lens_redshift"], masses["source_redshift"], masses["truncation_arcsec"]) == (0.2, 0.7, 0)
    with pytest.raises(ValueError, match="needs redshifts"):
        injected_masses(Injection(masses_msun=[1e9]), None)


@pytest.mark.parametrize(
    ("section", "key"),
    [
        ({}, "masses_msun"),
        ({"masses_msun": []}, "masses_msun"),
        ({"masses_msun": [1e9, 1e8]}, "masses_msun: [1000000000.0, 100000000.0] is not in ascending order"),
        ({"masses_msun": [0, 1e8]}, "masses_msun"),
        ({"masses_msun": [1e8], "images": 0}, "images"),
        ({"masses_msun": [1e8], "truncation_arcsec": -1}, "truncation_arcsec"),
        ({"masses_msun": [1e8], "redshifts": {"lens": 1.0, "source": 0.5}}, "redshifts: the lens is at redshift 1"),
        ({"masses_msun": [1e8], "redshift": 0.5}, "redshift"),
        ({"masses_msun": [1e8], "model": "rings"}, "model"),
    ],
)
def test_errors_name_the_key(config, section, key):
    with pytest.raises(ConfigError) as error:
        injecting(config, **section)
    assert f"datasets.model_b.inject.{key}" in str(error.value)


@pytest.mark.parametrize(
    ("model", "simulated", "noise", "fitted"),
    [
        ("auto", True, True, True),
        ("auto", False, True, False),
        ("auto", True, False, False),
        ("ring", True, True, False),
        ("lensfit", True, True, True),
    ],
)
def test_lenses_are_fitted_where_there_is_a_simulation_and_noise(model, simulated, noise, fitted):
    simulation = preset_simulation("model_b") if simulated else None
    found = fitted_simulation(Injection(masses_msun=[1e9], model=model), simulation, noise)
    assert (found is not None) == fitted
    assert not fitted or (found.lens, found.substructure) == (simulation.lens, {})


def test_lensfit_models_need_a_simulation_and_noise(config):
    section = {"masses_msun": [1e9], "model": "lensfit", "redshifts": {"lens": 0.3, "source": 0.9}}
    with pytest.raises(ValueError, match=r"inject needs a simulation.*model: lensfit"):
        FilesDataset.model_validate({"files": {"folder": "x", "pixels": 32}, "inject": section})
    config["datasets"]["model_b"]["camera"] = {"noise": "none"}
    with pytest.raises(ConfigError, match=r"datasets.model_b.*inject needs a camera with noise"):
        injecting(config, **section)
    assert injecting(config, **section | {"model": "auto"}).inject.model == "auto"


def test_masses_go_into_smooth_images_or_else_into_unlabelled_ones():
    def tested(**counts):
        none = {"train": {}, "contaminant": {}, "validation": {}}
        return Pools({**none, "test": counts}, "smooth", 10, "files")

    assert injected_class(tested(smooth=5, odd=5, unlabelled=5)) == "smooth"
    assert injected_class(tested(smooth=0, odd=5, unlabelled=5)) == "unlabelled"
    with pytest.raises(ValueError, match="there are only odd"):
        injected_class(tested(odd=5))


@pytest.mark.parametrize("known", [{}, {"redshifts": {"lens": 0.3, "source": 0.9}}])
def test_files_need_redshifts_or_a_simulation(known):
    section = {"files": {"folder": "x", "pixels": 32}, "inject": {"masses_msun": [1e9], **known}}
    if known:
        assert FilesDataset.model_validate(section).inject.redshifts.source == 0.9
        return
    with pytest.raises(ValueError, match="inject needs redshifts"):
        FilesDataset.model_validate(section)
    section["simulation"] = preset_simulation("model_b").plain()
    assert FilesDataset.model_validate(section).inject.redshifts is None
