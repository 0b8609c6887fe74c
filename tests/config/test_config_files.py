from pathlib import Path

import pytest
import yaml

from conftest import ROOT
from oddlens.config.config_files import (
    default_config,
    read_config,
    read_null_words,
    refuse_repeated_keys,
    refuse_unknown_nulls,
    replaced_default,
)
from oddlens.schema.config_errors import ConfigError


def test_a_repeated_key_is_refused_with_its_lines(tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("study: one\ndatasets:\n  a: &same {images: {train: 1, train: 2}}\n  b: *same\nstudy: two\n")
    with pytest.raises(ConfigError) as error:
        refuse_repeated_keys([file])
    first, second = str(error.value).splitlines()
    assert first.startswith(f"{file}, line 5: 'study' is in line 1 already")
    assert second.startswith(f"{file}, line 3: 'train' is in line 3 already")


def test_no_config_of_the_project_repeats_a_key(tmp_path):
    refuse_repeated_keys([*sorted((ROOT / "config").rglob("*.yaml")), ROOT / "tests/config.yaml"])
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "itself.yaml").write_text("a: &a [*a, {b: 1}, {b: 2}]\n")
    (tmp_path / "merged.yaml").write_text("a: &a {x: 1}\nb: &b {y: 1}\nc:\n  <<: *a\n  <<: *b\n  1: 2\n  '1': 3\n")
    (tmp_path / "tabs.json").write_text('{\n\t"study": "a"\n}\n')
    refuse_repeated_keys(tmp_path / name for name in ("empty.yaml", "itself.yaml", "merged.yaml", "tabs.json"))


def test_the_default_config_of_the_working_directory_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    assert default_config(ROOT) == Path("config/config.yaml")
    assert replaced_default(ROOT) == ""
    monkeypatch.chdir(tmp_path)
    assert default_config(ROOT) == ROOT / "config/config.yaml"
    assert replaced_default(ROOT) == ""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.yaml").write_text("seed: 3")
    assert default_config(ROOT) == Path("config/config.yaml")
    assert "takes the place of the default config" in replaced_default(ROOT)


# --- nulls ------------------------------------------------------------------------------------------------------------

BELOW = {"datasets": {"model_a": {"images": {"test": 5}}}, "detectors": {"flux": {}, "dcae": {}, "gone": None}}


def written(folder, **layers):
    """Files with these layers."""
    for name, layer in layers.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(layer))
    return [folder / f"{name}.yaml" for name in layers]


def test_a_null_for_a_name_that_no_config_has_is_refused(tmp_path):
    files = written(tmp_path, below=BELOW, above={"detectors": {"flx": None}, "datasets": {"model_b": None}})
    with pytest.raises(ConfigError) as error:
        read_config(files)
    dataset, row = str(error.value).splitlines()
    assert dataset.startswith("datasets.model_b: null removes nothing")
    assert dataset.endswith("Did you mean 'model_a'?")
    assert row.startswith("detectors.flx: null removes nothing")
    assert row.endswith("Known: dcae, flux, gone. Did you mean 'flux'?")
    with pytest.raises(ConfigError, match="Did you mean 'flux'"):
        refuse_unknown_nulls({"detectors": {"flux": {}, "flx": None}}, files[0], [])


def test_a_null_removes_what_any_file_has(tmp_path):
    """Also a name of the file between, a null of the lowest file, and a key that only a preset gives."""
    own = {"detectors": {"mine": {"latent": 3}, "flux": None}}
    last = {"detectors": {"mine": None, "flux": None, "gone": None, "dcae": {"latent": None}}, "only": None}
    assert read_config(written(tmp_path, below=BELOW, own=own, last=last))["detectors"]["mine"] is None
    assert read_config(written(tmp_path, below=BELOW))["detectors"]["gone"] is None


def test_a_section_that_is_no_mapping_is_left_to_the_study(tmp_path):
    assert read_config(written(tmp_path, below=BELOW, above={"detectors": [None]}))["detectors"] == [None]


def test_the_word_null_of_the_command_line_is_null():
    config = {"only": "null", "detectors": {"flux": "~", "dcae": {"name": "null"}}, "seed": "1", "study": "null"}
    read_null_words(config, {"only": "null", "detectors": {"flux": "~", "pca": "null"}, "seed": "1"})
    assert config["only"] is None
    assert config["detectors"] == {"flux": None, "dcae": {"name": "null"}}  # a word of a file stays a word
    assert (config["seed"], config["study"]) == ("1", "null")
