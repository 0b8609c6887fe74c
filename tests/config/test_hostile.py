"""Hostile configs and names run no code, do not leave their folder, and are refused with a plain error."""

import copy
import random

import pytest
import yaml
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from conftest import ROOT
from hostile import FOLDER, NAMES, VALUES, with_errors
from oddlens.config.merging import laid_over
from oddlens.config.study import Study, parse_study
from oddlens.schema.config_errors import ConfigError
from project import SMOKE, fresh_copy, snakemake

DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def verdict(config) -> str | None:
    """What is wrong with a config, or None."""
    try:
        parse_study(config)
    except ConfigError as error:
        return str(error)
    return None


@given(st.randoms(use_true_random=False))
@how(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_config_with_errors_is_valid_or_refused_by_its_keys(rng):
    config = with_errors(DEFAULT, rng)
    known = {*Study.model_fields, *(key for key in config if isinstance(key, str) and key), "the config"}
    for line in (verdict(config) or "").splitlines():
        assert any(line.startswith(key) for key in known), line
        assert len(line) < 2000


def test_most_configs_with_errors_are_refused_with_different_messages():
    verdicts = [verdict(with_errors(DEFAULT, random.Random(seed))) for seed in range(30)]
    assert sum(message is not None for message in verdicts) > 15
    assert len(set(verdicts)) > 15


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
@pytest.mark.parametrize("place", ["study", "datasets", "detectors", "real"])
def test_names_that_are_unsafe_in_a_path_or_a_shell_are_refused(config, place, name):
    if place == "study":
        config["study"] = name
    elif place == "real":
        config["real"] = {name: "lens.fits"}
    else:
        config[place][name] = next(iter(config[place].values())) if place == "datasets" else {"detector": "dcae"}
    assert verdict(config).startswith((place, "the config"))


@pytest.mark.parametrize("name", ["../up", "/etc/hosts", "$(touch hacked)", "a/b", "{b}", "."])
@pytest.mark.parametrize(
    ("key", "section"),
    [
        ("preset", "datasets: {{model_a: {{preset: {0}}}}}"),
        ("substructure", "datasets: {{model_a: {{substructure: {{{0}: {{}}}}}}}}"),
        ("detector", "detectors: {{a: {{detector: {0}}}}}"),
        ("like", "detectors: {{a: {{like: {0}}}}}"),
        ("labels", "detectors: {{a: {{detector: infonce, labels: {{{0}: 3}}}}}}"),
        ("fractions", "contamination: {{fractions: {{{0}: [0.1]}}}}"),
        ("only", "only: [{0}]"),
    ],
)
def test_no_other_name_leads_out_of_the_project(config, key, section, name):
    message = verdict(laid_over(config, yaml.safe_load(section.format(f"'{name}'"))))
    assert key in message
    assert name in message


PLAIN = [value for value in VALUES if verdict({"given": value}) == verdict({"given": 1})]


@pytest.mark.parametrize("key", ["preset", "like", "ablates", "detector", "sweep", "trials", "only", "seed"])
def test_merging_survives_any_value(config, key):
    for value in PLAIN:
        given = copy.deepcopy(config) | {"only": ["a"]}
        given["datasets"]["model_a"] |= {"preset": value} if key == "preset" else {}
        row = {"detector": "infonce", "sweep": {"beta": [0, 1]}} if key in ("seed", "trials") else {}
        given["detectors"]["a"] = row if key in ("preset", "only", "seed") else row | {key: value}
        verdict(given | ({key: value} if key in ("only", "seed") else {}))


def test_a_config_that_contains_itself_is_refused(config):
    config["training"]["again"] = config
    assert "does it contain itself?" in verdict(config)
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]" for old, new in zip("abcdefg", "bcdefgh", strict=True)]
    assert "does it contain itself?" in verdict(DEFAULT | {"real": yaml.safe_load("\n".join(lines))})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"datasets": {"model_a": {"images": {"train": 10**15}}}}, "images.*raise per_shard"),
        (
            {
                "detectors": {
                    "a": {"detector": "dcae", "sweep": {"latent": [*range(1, 999)], "width": [*range(1, 999)]}}
                }
            },
            "",
        ),
        ({"detectors": {"a": {"detector": "dcae", "sweep": {"latent": [1, 2]}}, "a_01": {"like": "dcae"}}}, ""),
    ],
)
def test_impossible_plans_and_clashing_names_are_refused(config, given, told):
    message = verdict(laid_over(config, given))
    assert message.startswith(("datasets.model_a.images: ", "detectors.a.sweep: "))


TAGGED = [
    "training: !!python/object/apply:os.system ['touch hacked']",
    "training: !!python/object/new:os.system ['touch hacked']",
    "training: {epochs: !!python/name:os.system }",
    "training: !!python/module:os",
    "training: {epochs: !!python/tuple [1, 2]}",
    "training: &a {epochs: *a}",
    "study: 2020-01-01",
    "seed: !!binary aGFja2Vk",
    "real: !!set {a, b}",
    "study: $(touch hacked)",
    "real: {ring: '$(touch hacked);`touch hacked`'}",
]


@pytest.mark.workflow
@pytest.mark.parametrize("written", TAGGED)
def test_snakemake_refuses_a_hostile_config(tmp_path, written):
    folder = fresh_copy(tmp_path / "project")
    (folder / "hostile.yaml").write_text(written)
    output = snakemake(folder, "-n", "--cores", "1", "--configfile", "hostile.yaml", fails=True)
    assert not list(tmp_path.rglob("hacked"))
    assert "rule simulate" not in output


@pytest.mark.workflow
def test_a_checkout_in_a_folder_with_a_hostile_name_works(tmp_path):
    folder = fresh_copy(tmp_path / FOLDER)
    snakemake(folder, "--cores", "1", *SMOKE, "--", "results/smoke/splits/model_a/seed-1.csv")
    assert (folder / "results/smoke/splits/model_a/seed-1.csv").exists()
    assert not list(tmp_path.rglob("hacked"))


@pytest.mark.workflow
@pytest.mark.parametrize("name", ["a{b}c", "a:b"])
def test_a_folder_that_snakemake_would_misread_is_refused(tmp_path, name):
    output = snakemake(fresh_copy(tmp_path / name), "-n", "--cores", "1", fails=True)
    assert "Rename it" in output
    assert "Traceback" not in output
