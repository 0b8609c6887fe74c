from pathlib import Path

import pytest

from conftest import ROOT
from oddlens.config.config_files import default_config, refuse_repeated_keys, replaced_default
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
