"""The page that explores results: what it holds, exactly."""

import base64
import io
import json
import re
import zlib

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from PIL import Image

import explored
import made_up
import made_up_files
import made_up_shards
from oddlens.data.shards import Pool
from oddlens.data.twins import Twins
from oddlens.files.artefacts import read_arrays
from oddlens.results.pages.explore.curve_facts import MASS_COLUMNS, auc_facts, mass_facts
from oddlens.results.pages.explore.interactive_tables import interactive_tables
from oddlens.results.pages.explore.packing import as_json, packed, packed_scores
from oddlens.results.pages.explore.row_maps import MAP_RANGE
from oddlens.results.pages.explore.sprites import COLUMNS, DIFFERENCE_SIGMA, MAX_SIDE, PER_SHEET, sprites
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.result_files import read_result

IMAGES = 40
DIVERGED = {"dcae": ["cdm-0.2/1"], "random": ["none-0/1", "none-0/2"]}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A study of simulated images, in two sizes, and of the user's own: its folder and files."""
    folder = tmp_path_factory.mktemp("study")
    made = made_up.study(folder, images=IMAGES, diverged=DIVERGED)
    made_up_files.add(made, folder, "mine", made_up_files.WITHOUT_LABELS)
    outputs = made_up.aggregated(folder, made, own=("mine",))
    sizes = {"model_a": 32, "model_b": 16, "mine": 128}
    return explored.page_of(folder, made, outputs, own=("mine",), pixels=sizes), made


@pytest.fixture(scope="module")
def page(study):
    return BeautifulSoup(study[0].read_text(), "html.parser")


@pytest.fixture(scope="module")
def facts(page):
    """The facts of each data set in the page."""
    return {found["data-name"]: json.loads(found.string) for found in page.find_all("script", class_="dataset")}


def unpacked(text, kind):
    """The numbers of a packed array: all first bytes come first."""
    parts = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return parts.reshape(np.dtype(kind).itemsize, -1).T.copy().view(kind)[:, 0]


def tile(sheets, number):
    """A tile of some sheets, [side, side], 0 to 255."""
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(sheets[number // PER_SHEET]))).convert("L"))
    side = picture.shape[1] // COLUMNS
    y, x = divmod(number % PER_SHEET, COLUMNS)
    return picture[side * y : side * (y + 1), side * x : side * (x + 1)]


def shown_bits(shown):
    """The class and the number that an image of `made_up_shards` shows."""
    blocks = shown.reshape(4, len(shown) // 4, 4, -1).mean(axis=(1, 3)).ravel() > 150
    return int(sum(blocks[:4] << np.arange(4))), int(sum(blocks[4:] << np.arange(12)))


# --- what is in the page ---------------------------------------------------------------------------------------------


def test_the_page_needs_no_other_file(study):
    text = study[0].read_text()
    without_data = re.sub(r"data:[\w/;]+base64,[\w+/=]+|<style>.*?</style>", "", text, flags=re.DOTALL)
    assert re.findall(r"(?:src|href)=[\"']?([^\"' >]+)", without_data) == ["data:,", "report.html"]
    assert "default-src 'none'" in text
    assert study[0].stat().st_size < 3e6


def test_names_of_the_study_cannot_become_markup(page):
    assert page.h1.get_text() == "Explore “made up <b>”"
    assert page.title.get_text() == "oddlens: explore made up <b>"


@pytest.mark.parametrize("dataset", ["model_a", "model_b", "mine"])
def test_scores_are_those_of_the_files(study, facts, dataset):
    scores = DatasetScores.read(study[1]["scores"][dataset].values(), "smooth")
    of = facts[dataset]
    classes, indices = unpacked(of["class_of"], np.uint8), unpacked(of["index_of"], np.int32)
    names = [cls for cls, _ in of["classes"]]
    pools = np.where(np.arange(len(classes)) < of["tested"], "test", "validation")
    position = pd.Series(np.arange(len(scores.images)), pd.MultiIndex.from_frame(scores.images))
    found = position[[(pool, names[c], int(k)) for pool, c, k in zip(pools, classes, indices, strict=True)]].to_numpy()
    values = unpacked(of["scores"], np.float32 if of["bits"] == 32 else np.float64).reshape(len(of["models"]), -1)
    np.testing.assert_array_equal(values, scores.values[:, found].astype(values.dtype))
    assert sum(pools == "validation") == len(scores.positions("smooth", "validation"))


def test_models_have_their_names_and_say_whether_they_diverged(facts):
    models = {(m["row"], m["training"], m["seed"]): m["ok"] for m in facts["model_a"]["models"]}
    assert models["dcae", "cdm 20%", 1] is False
    assert models["dcae", "cdm 20%", 2] is True
    assert models["random", "clean", 1] is False
    assert models["supervised", "labelled", 1] is True
    assert {m["training"] for m in facts["mine"]["models"]} == {"as given"}


@pytest.mark.parametrize("dataset", ["model_a", "model_b"])
def test_each_thumbnail_is_that_of_its_image(facts, dataset):
    of = facts[dataset]
    names = [cls for cls, _ in of["classes"]]
    classes, indices = unpacked(of["class_of"], np.uint8), unpacked(of["index_of"], np.int32)
    for number in range(0, of["tested"], 7):
        cls = made_up.CLASSES.index(names[classes[number]]) + 1
        assert shown_bits(tile(of["sprites"]["image"], number)) == (cls, indices[number])


def test_large_images_are_averaged_down_and_small_ones_kept(facts):
    sizes = {name: (of["sprites"]["side"], of["sprites"]["pixels"]) for name, of in facts.items()}
    assert sizes == {"model_a": (32, 32), "model_b": (16, 16), "mine": (MAX_SIDE, 128)}
    assert shown_bits(tile(facts["mine"]["sprites"]["image"], 5)) == (1, 5)


def test_the_users_own_images_have_neither_twins_nor_differences(facts):
    assert not facts["mine"]["simulated"]
    assert "difference" not in facts["mine"]["sprites"]
    assert facts["mine"]["classes"] == [["unlabelled", "unlabelled"], ["smooth", "normal"]]


def test_the_truth_is_that_of_each_image(study, facts):
    truth = pd.read_csv(study[1]["truths"]["model_a"], comment="#").query("pool == 'test'")
    of = facts["model_a"]["truth"]
    numbers = dict(zip(of["columns"], unpacked(of["numbers"], np.float32).reshape(len(of["columns"]), -1), strict=True))
    for name, values in numbers.items():
        np.testing.assert_allclose(values, truth[name], rtol=1e-6)
    assert set(numbers) | set(of["same"]) == set(truth.columns) - {"pool", "class", "index"}
    assert of["same"]["psf_fwhm_pixels"] == 2.5
    assert facts["mine"]["truth"]["text"]["object"][:3] == ["000", "000", "001"]


def test_tables_are_there_without_javascript(study, page):
    shown = {place["data-name"]: place for place in page.find_all("div", class_="table")}
    assert {"summary", "auc", "pairs", "false_alarms", "most_anomalous", "completeness_by_mass", "ranking"} == set(
        shown
    )
    auc = shown["auc"].noscript.table
    assert auc.caption
    assert len(auc.tbody.find_all("tr")) == int(shown["auc"]["data-lines"])
    assert all(heading["scope"] == "col" for heading in auc.find_all("th"))


# --- parts ------------------------------------------------------------------------------------------------------------


def test_scores_that_single_precision_cannot_tell_apart_are_double():
    apart = np.array([[1.0, 1.5, np.nan], [2.0, 2.25, 3.0]])
    assert packed_scores(apart)["bits"] == 32
    near = apart + np.array([[0, 0, 0], [0, -0.25 + 1e-12, 0]])
    double = packed_scores(near)
    assert double["bits"] == 64
    np.testing.assert_array_equal(unpacked(double["scores"], np.float64).reshape(2, 3), near)
    assert packed_scores(np.array([[1e300, 1.0]]))["bits"] == 64


def test_numbers_are_packed_little_endian():
    assert unpacked(packed(np.array([[1, 258], [7, -3]], ">i4")), "<i4").tolist() == [1, 258, 7, -3]
    assert unpacked(packed(np.zeros((0, 3))), "<f8").tolist() == []


def test_json_cannot_end_a_script_and_has_no_nan():
    text = as_json({"a": "</script><script>", "b": [np.float32(1.5), float("nan"), np.int64(3)]})
    assert "</" not in text
    assert json.loads(text) == {"a": "</script><script>", "b": [1.5, None, 3]}


def pool_of(images, difference, sigma):
    """A smooth class, and a class with a difference to it."""
    classes = ["smooth"] * len(images) + ["odd"] * len(images)
    table = pd.DataFrame({"pool": "test", "class": classes, "index": [*range(len(images))] * 2})
    both = np.concatenate([images, images + difference]).astype(np.float32)
    pixels = {"images": both, "noise_free": both, "sigma": np.full_like(both, sigma)}
    return Twins(Pool(table, pixels), "smooth")


def test_differences_are_in_units_of_the_noise():
    images = np.ones((COLUMNS + 3, 8, 8))
    made = sprites(pool_of(images, 0.2 * DIFFERENCE_SIGMA / 2, 0.2))
    assert tile(made["difference"], 3).mean() == pytest.approx(128, abs=2)
    assert tile(made["difference"], len(images) + 2).mean() == pytest.approx(191, abs=3)


def test_unknown_pixels_and_images_without_light_are_drawn():
    images = np.zeros((3, 8, 8))
    images[1, 2] = np.nan
    images[2] = -1
    made = sprites(
        Twins(
            Pool(pd.DataFrame({"pool": "test", "class": "unlabelled", "index": range(3)}), {"images": images}), "smooth"
        )
    )
    assert "difference" not in made
    assert tile(made["image"], 1).max() < 10


@pytest.mark.parametrize("dataset", ["model_a", "model_b", "mine"])
def test_maps_are_those_of_the_images_and_have_the_values_of_the_files(study, facts, dataset):
    of = facts[dataset]
    tested, models = of["tested"], of["models"]
    names = np.array([cls for cls, _ in of["classes"]])[unpacked(of["class_of"], np.uint8)[:tested]]
    indices = unpacked(of["index_of"], np.int32)
    mapped = [row for row in study[1]["maps"][dataset] if row not in made_up.WITHOUT_MAPS]
    assert [maps["row"] for maps in of["maps"]] == mapped
    for maps in of["maps"]:
        arrays, about = read_arrays(study[1]["maps"][dataset][maps["row"]])
        model = models[maps["model"]]
        assert (model["row"], model["seed"]) == (maps["row"], about["seed"])
        assert model["training"] == ("as given" if dataset == "mine" else "clean")
        images = unpacked(maps["images"], np.uint32)
        classes = np.array(about["classes"].split(","))[arrays["class"]]
        assert (names[images] == classes).all()
        assert (indices[images] == arrays["index"]).all()
        low, high = np.quantile(arrays["anomaly_maps"], MAP_RANGE)
        wanted = {
            "residual": 128 + 127 * np.clip(arrays["residuals"] / DIFFERENCE_SIGMA, -1, 1),
            "map": 255 * np.sqrt(np.clip((arrays["anomaly_maps"] - low) / (high - low), 0, 1)),
        }
        for kind, values in wanted.items():
            shown = np.stack([tile(maps["sheets"][kind], number) for number in range(len(images))])
            assert np.abs(shown - values).mean() < 6
            assert np.corrcoef(shown.ravel(), values.ravel())[0, 1] > 0.99


def test_reconstructions_are_as_bright_as_the_images(facts):
    (maps,) = [maps for maps in facts["model_a"]["maps"] if maps["row"] == "dcae"]
    assert tile(maps["sheets"]["reconstruction"], 0).mean() == pytest.approx(255 * 0.25**0.5, abs=2)  # the peak is 1


def test_rows_whose_models_all_diverged_have_no_maps(facts):
    assert "random" not in {maps["row"] for maps in facts["model_a"]["maps"]}


def test_completeness_by_mass_has_a_column_for_each_bin():
    lines = [("m", "a", "cdm", 0.01, 1e9, 1e10, 0.2), ("m", "a", "cdm", 0.01, 1e10, 1e11, 0.7)]
    lines += [("m", "b", "cdm", 0.01, 1e10, 1e11, 0.9), ("m", "b", "cdm", 0.01, 1e9, 1e10, np.nan)]
    columns = ["dataset", "detector", "class", "false_alarm_rate", "bin_low", "bin_high", "detected"]
    detection = pd.DataFrame(lines, columns=columns).assign(truth="substructure_mass_msun")
    (table,) = interactive_tables({"detection": detection})
    found = BeautifulSoup(table["html"], "html.parser")
    assert [cell.get_text() for cell in found.thead.find_all("th")][4:] == ["1e+09 to 1e+10", "1e+10 to 1e+11"]
    assert [[c.get_text() for c in line.find_all("td")][4:] for line in found.tbody.find_all("tr")] == [
        ["0.2", "0.7"],
        ["", "0.9"],
    ]


def test_real_lenses_have_tables(tmp_path):
    (tmp_path / "picture.png").write_bytes(b"")
    paths = made_up.real_tables(tmp_path, tmp_path / "picture.png")
    empty = pd.DataFrame(columns=["dataset", "class", "truth", "bin_low", "bin_high", "detected"])
    made = interactive_tables(
        {"detection": empty} | {name: read_result(paths[name]) for name in ("real", "real_claims")}
    )
    assert [table["name"] for table in made] == ["real", "real_claims"]
    assert "lost &lt;b&gt;" in made[0]["html"]
    assert made[0]["lines"] == 4


def test_injected_masses_are_a_class_of_their_own():
    injected = pd.DataFrame(
        {"dataset": "m", "detector": "a", "false_alarm_rate": 0.01, "mass_msun": [0, 1e9], "completeness": [0.01, 0.5]}
    ).assign(completeness_low=0.1, completeness_high=0.9, images=40)
    empty = pd.DataFrame(
        columns=["dataset", "class", "truth", "bin_low", "bin_high", "detected", "detected_low", "detected_high"]
    )
    (line,) = mass_facts(empty, injected)
    assert dict(zip(MASS_COLUMNS, line, strict=True))["class"] == "injected"
    assert dict(zip(MASS_COLUMNS, line, strict=True))["detected"] == 0.5


def test_models_without_an_auc_are_in_no_curve():
    auc = pd.DataFrame({"dataset": "m", "detector": "a", "contaminant": "none", "contamination": 0.0, "seed": [1, 2]})
    auc = auc.assign(anomaly="all", auc=[0.8, np.nan], auc_low=0.7, auc_high=0.9)
    assert [line[4] for line in auc_facts(auc)] == [1]


def test_scripts_that_the_page_imports_are_those_of_the_folder():
    from oddlens.results.pages.explore.page import FOLDER, SCRIPTS

    assert {path.stem for path in FOLDER.glob("*.js")} == {*SCRIPTS, "main"}
    imported = set(re.findall(r'from "explore/(\w+)"', "".join(path.read_text() for path in FOLDER.glob("*.js"))))
    assert imported == set(SCRIPTS)


def test_made_up_images_are_told_apart():
    assert shown_bits(255 * np.sqrt(made_up_shards.picture(3, 77))) == (3, 77)
