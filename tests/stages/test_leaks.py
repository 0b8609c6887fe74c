"""Planted leaks are found, by kind, and data sets without leaks have none."""

import numpy as np
import pytest

from leaky_sets import LeakySet, found, lenses, noisy
from oddlens.results.tables.leaks import leaks_table
from oddlens.results.tables.refused_leaks import refuse
from oddlens.stages.split import split

CLASSES = "test smooth and test odd"


def text(word, count):
    return np.array([word] * count, np.bytes_)


# --- duplicates ------------------------------------------------------------------------------------------------------


def test_an_image_of_two_pools_is_a_leak_that_names_both_files(tmp_path):
    mine = LeakySet()
    mine["test", "smooth"]["images"][3] = np.rot90(mine["train", "smooth"]["images"][7])
    table = mine.find(tmp_path)
    assert found(table) == [("duplicates", "equal pixels", "train and test")]
    [line] = table[table["severity"] == "leak"].to_dict("records")
    assert line["count"] == 1
    assert line["example"] == "train/smooth/7.fits and test/smooth/3.fits"
    with pytest.raises(ValueError, match=r"train/smooth/7.fits and test/smooth/3.fits.*take them out"):
        refuse(table)


@pytest.mark.parametrize(
    ("first", "second", "compared"),
    [
        (("contaminant", "odd"), ("test", "odd"), "contaminant and test"),
        (("validation", "smooth"), ("test", "smooth"), "validation and test"),
        (("train", "smooth"), ("validation", "smooth"), "train and validation"),
        (("train", "smooth"), ("contaminant", "odd"), "train and contaminant"),
        (("test", "smooth"), ("test", "odd"), CLASSES),
    ],
)
def test_all_pools_and_classes_are_compared(tmp_path, first, second, compared):
    mine = LeakySet()
    mine[second]["images"][0] = mine[first]["images"][1]
    assert ("duplicates", "equal pixels", compared) in found(mine.find(tmp_path), "leak")


def test_the_same_lens_with_other_noise_is_nearly_equal(tmp_path):
    mine = LeakySet()
    clean = lenses(3, np.random.default_rng(9))
    for group, seed in ((("train", "smooth"), 10), (("test", "odd"), 11)):
        mine[group]["images"][:3] = noisy(clean, np.random.default_rng(seed), 0.01)
    table = mine.find(tmp_path)
    assert found(table) == [("duplicates", "nearly equal pixels", "train and test")]
    assert table.loc[table["severity"] == "leak", "count"].tolist() == [3]


def test_the_same_object_in_two_pools_is_a_leak(tmp_path):
    mine = LeakySet()
    mine["test", "odd"]["truth/lens"][4] = mine["train", "smooth"]["truth/lens"][8]
    assert found(mine.find(tmp_path)) == [("duplicates", "the same object", "train and test")]


def test_twins_of_two_classes_are_no_leak(tmp_path):
    mine = LeakySet()
    twins = mine["test", "smooth"]["images"] + 1e-4
    mine["test", "odd"]["images"] = twins
    assert found(mine.find(tmp_path)) == [("duplicates", "nearly equal pixels", CLASSES)]
    mine["test", "odd"]["truth/lens"] = mine["test", "smooth"]["truth/lens"]
    table = mine.find(tmp_path)
    assert found(table) == []
    refuse(table)


# --- containers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "value"), [("dtype", "int64"), ("suffix", ".png")])
def test_files_that_tell_the_class_are_a_leak(tmp_path, name, value):
    mine = LeakySet()
    mine["test", "odd"][f"container/{name}"] = text(value, 50)
    table = mine.find(tmp_path)
    assert found(table) == [("container", name, CLASSES)]
    line = table[table["severity"] == "leak"].iloc[0]
    assert line["auc"] == 1
    assert line["z"] > 5
    with pytest.raises(ValueError, match=f"{name} of files tells {CLASSES} apart .AUC 1.00.*{value}"):
        refuse(table)


def test_test_images_of_other_files_than_training_images_are_a_leak(tmp_path):
    mine = LeakySet()
    for cls in ("smooth", "odd"):
        mine["test", cls]["container/height"][:] = 64
    assert found(mine.find(tmp_path)) == [("container", "height", "train and test smooth")]


def test_times_and_sizes_of_files_only_warn(tmp_path):
    mine = LeakySet()
    mine["test", "odd"]["container/modified"] += 1e7
    mine["test", "odd"]["container/bytes"] += np.arange(50)
    table = mine.find(tmp_path)
    assert found(table, "warning") == [("container", "bytes", CLASSES), ("container", "modified", CLASSES)]
    refuse(table)


# --- pixels and provenance -------------------------------------------------------------------------------------------


def test_brightness_that_tells_the_class_is_a_warning(tmp_path):
    mine = LeakySet()
    mine["test", "odd"]["images"] *= np.float32(1.8)
    table = mine.find(tmp_path)
    assert ("pixels", "flux", CLASSES) in found(table, "warning")
    assert found(table, "leak") == []
    line = table[(table["check"] == "flux") & (table["compared"] == CLASSES)].iloc[0]
    assert line["auc"] == pytest.approx(0.5 + line["z"] * line["error"])
    refuse(table)


def test_other_noise_of_a_class_is_a_warning(tmp_path):
    mine = LeakySet()
    images = mine["test", "odd"]["images"]
    images += np.random.default_rng(5).normal(0, 0.03, images.shape).astype(np.float32)
    assert ("pixels", "border_scatter", CLASSES) in found(mine.find(tmp_path), "warning")


@pytest.mark.parametrize("nuisance", ["tile", "seeing"])
def test_a_nuisance_that_tells_the_class_is_a_warning(tmp_path, nuisance):
    mine = LeakySet()
    mine["test", "odd"]["sheet/tile"] = text("t9", 50)
    mine["test", "odd"]["truth/seeing"] += 0.3
    assert found(mine.find(tmp_path, [nuisance])) == [("provenance", nuisance, CLASSES)]
    assert found(mine.find(tmp_path)) == []


def test_a_nuisance_that_is_no_column_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"'tyle'.*tile"):
        LeakySet().find(tmp_path, ["tyle"])


def test_images_of_one_lens_count_as_one(tmp_path):
    mine = LeakySet()
    mine["test", "odd"]["sheet/tile"] = text("t9", 50)
    for k, cls in enumerate(("smooth", "odd")):
        mine["test", cls]["truth/lens"] = 1000 + k + 2.0 * (np.arange(50) // 25)
    assert found(mine.find(tmp_path, ["tile"])) == []


# --- scaling ---------------------------------------------------------------------------------------------------------


def test_images_that_were_scaled_one_by_one_are_reported(tmp_path):
    mine = LeakySet()
    for arrays in mine.arrays.values():
        arrays["images"] /= arrays["images"].max(axis=(1, 2), keepdims=True)
    assert ("scaling", "equal brightest pixels", "test") in found(mine.find(tmp_path), "warning")


def test_grey_steps_that_are_coarser_than_the_noise_are_reported(tmp_path):
    mine = LeakySet()
    for arrays in mine.arrays.values():
        arrays["images"] = np.rint(np.clip(arrays["images"], 0, 2.5) * 10).astype(np.float32)
    assert ("scaling", "grey steps", "train") in found(mine.find(tmp_path), "warning")


# --- data sets without leaks -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_a_clean_set_has_no_leak_and_no_warning(tmp_path, seed):
    table = LeakySet(seed).find(tmp_path, ["tile", "seeing"])
    assert found(table) == []
    assert len(table) > 40
    refuse(table)


def test_without_labels_pools_are_compared_and_classes_are_not(tmp_path):
    sizes = {("train", "smooth"): 100, ("validation", "smooth"): 30, ("test", "unlabelled"): 40}
    mine = LeakySet(sizes=sizes)
    mine["test", "unlabelled"]["images"][0] = mine["train", "smooth"]["images"][5]
    mine["test", "unlabelled"]["container/dtype"] = text("int16", 40)
    table = mine.find(tmp_path)
    expected = [("container", "dtype", "train and test unlabelled"), ("duplicates", "equal pixels", "train and test")]
    assert found(table) == expected
    assert not table["compared"].str.startswith("test unlabelled").any()


def test_a_set_without_test_images_is_checked(tmp_path):
    mine = LeakySet(sizes={("train", "smooth"): 60, ("validation", "smooth"): 30})
    mine["validation", "smooth"]["images"][2] = mine["train", "smooth"]["images"][2]
    assert found(mine.find(tmp_path)) == [("duplicates", "equal pixels", "train and validation")]


def test_the_table_of_a_study_has_all_data_sets(tmp_path):
    LeakySet().find(tmp_path)
    table = leaks_table([tmp_path / "leaks.csv", tmp_path / "leaks.csv"])
    assert len(table) == 2 * len(leaks_table([tmp_path / "leaks.csv"]))
    assert len(leaks_table([])) == 0
    assert list(leaks_table([]).columns) == list(table.columns)


def test_all_leaks_are_refused_at_once_in_a_line_each(tmp_path):
    mine = LeakySet()
    mine["test", "smooth"]["images"][3] = mine["train", "smooth"]["images"][7]
    mine["test", "odd"]["container/dtype"] = text("int64", 50)
    with pytest.raises(ValueError, match="strict") as refused:
        refuse(mine.find(tmp_path))
    assert len(str(refused.value).splitlines()) == 3


def test_a_strict_data_set_with_leaks_gets_no_training_sets(tmp_path):
    mine = LeakySet()
    mine["test", "smooth"]["images"][3] = mine["train", "smooth"]["images"][7]
    mine.find(tmp_path)
    sizes = {"images": 100, "train": 120, "contaminants": {"odd": 30}, "known": {}}
    about = {"dataset": "mine", "seed": 1, "replica": 1, "smooth": "smooth"}
    path = tmp_path / "split.csv"
    with pytest.raises(ValueError, match=r"train/smooth/7.fits and test/smooth/3.fits"):
        split(str(path), ["none-0"], **about, **sizes, leaks=str(tmp_path / "leaks.csv"))
    assert not path.exists()
    split(str(path), ["none-0"], **about, **sizes)
    assert path.exists()
