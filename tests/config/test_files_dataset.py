"""Data sets of the user's own files: their section, and the rows and training sets that they have."""

import pytest

from oddlens.config.left_out import left_out
from oddlens.config.study import parse_study, pool_errors
from oddlens.config.training_plan import training_sets, training_sets_of
from oddlens.data.pools import UNLABELLED, Pools
from oddlens.schema.config_errors import ConfigError


def pools(contaminant=None, test=None, train=3000):
    counts = {"train": {"smooth": train}, "contaminant": contaminant or {}, "validation": {"smooth": 200}}
    return Pools({**counts, "test": test or {UNLABELLED: 100}}, "smooth", 1000, "files")


@pytest.fixture
def own(config):
    """The default config with a data set of files instead of its own."""
    config["datasets"] = {"mine": {"files": {"sheet": "mine.csv", "pixels": 64}}}
    return config


def test_a_data_set_with_files_needs_no_simulation(own):
    study = parse_study(own)
    assert list(study.of_files) == ["mine"]
    assert study.simulated == {}


def test_both_kinds_can_be_in_one_study(config):
    config["datasets"]["mine"] = {"files": {"folder": "images", "pixels": 32}, "simulation": {"preset": "model_b"}}
    study = parse_study(config)
    assert list(study.simulated) == ["model_a", "model_b"]
    assert study.of_files["mine"].simulation.camera == study.simulated["model_b"].camera
    assert parse_study(study.plain() | {"detectors": config["detectors"]}).of_files == study.of_files


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"pixels": 64}, ["mine.files", "sheet or folder"]),
        ({"sheet": "a", "folder": "b", "pixels": 64}, ["mine.files", "not both"]),
        ({"sheet": "a"}, ["mine.files.pixels", "missing"]),
        ({"sheet": "a", "pixels": 64, "shet": 1}, ["files.shet: unknown key", "Did you mean 'sheet'?"]),
        ({"sheet": "a", "pixels": 64, "camera": {"noise": "know"}}, ["files.camera.noise", "'known'"]),
        ({"sheet": "a", "pixels": 64, "split": {"test": 0.6, "validation": 0.5}}, ["files.split", "1.1"]),
    ],
)
def test_mistakes_of_the_section_are_named(own, files, words):
    own["datasets"]["mine"]["files"] = files
    with pytest.raises(ConfigError, match="mine") as refusal:
        parse_study(own)
    assert all(word in str(refusal.value) for word in words), str(refusal.value)


def test_files_laid_over_a_simulated_data_set_say_what_is_in_the_way(config):
    config["datasets"]["model_a"]["files"] = {"folder": "images", "pixels": 32}
    with pytest.raises(ConfigError, match=r"datasets\.model_a: it has files, and preset, images.*null"):
        parse_study(config)
    config["datasets"]["model_a"] |= {"preset": None, "images": None}
    assert list(parse_study(config).of_files) == ["model_a"]


@pytest.mark.parametrize("section", [{"regression": {"resnet": {}}}, {"real": {"lenses": "lenses.csv"}}])
def test_sections_that_need_a_simulation_are_refused_without_one(own, section):
    with pytest.raises(ConfigError, match=f"{next(iter(section))}: needs a data set that is simulated"):
        parse_study(own | section)


def test_rows_that_need_what_files_lack_are_left_out_with_a_reason(own):
    study = parse_study(own)
    unable = left_out(study.detectors, study.datasets["mine"], pools())
    assert {"oracle", "supervised", "lensfit"} <= set(unable)
    assert all(unable.values())
    assert "dcae" not in unable
    with_labels = left_out(study.detectors, study.datasets["mine"], pools(contaminant={"odd": 100}))
    assert "supervised" not in with_labels


def test_a_simulation_lets_lenses_be_fitted(own):
    own["datasets"]["mine"]["simulation"] = {"preset": "model_a"}
    own["datasets"]["mine"]["files"]["pixels"] = 32
    study = parse_study(own)
    assert "lensfit" not in left_out(study.detectors, study.datasets["mine"], pools())


def test_the_simulation_must_have_the_pixels_of_the_images(own):
    own["datasets"]["mine"]["simulation"] = {"preset": "model_a"}
    with pytest.raises(ConfigError, match=r"datasets\.mine.*simulation\.camera\.pixels is 32.*files\.pixels is 64"):
        parse_study(own)


def test_a_simulated_data_set_leaves_no_row_out(config):
    study = parse_study(config)
    assert left_out(study.detectors, study.datasets["model_a"], study.datasets["model_a"].pools) == {}


def test_without_contaminants_the_training_images_are_used_as_they_are(own):
    study = parse_study(own)
    assert training_sets(study, pools()) == ["none-0"]
    assert training_sets_of(study, "dcae", pools()) == ["none-0"]
    assert training_sets(study, pools(contaminant={"odd": 900})) == ["none-0", "mixed-0.1", "labelled-0.5"]


def test_sizes_of_pools_are_checked_when_they_are_known(own):
    study = parse_study(own)
    assert pool_errors(study, {"mine": pools()}) == []
    few = pool_errors(study, {"mine": pools(train=100)})
    assert {line.partition(",")[0] for line in few} == {"datasets.mine.files has 100 images of role train"}
    contaminated = pools(contaminant={"odd": 5}, train=9000)
    assert any("5 images of role contaminant" in line for line in pool_errors(study, {"mine": contaminated}))
