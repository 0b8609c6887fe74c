"""Outside scores from their table to the tables of a study."""

import numpy as np
import pandas as pd
import pytest

import made_up
from oddlens.data import shards
from oddlens.data.shards import Shard
from oddlens.files.artefacts import DamagedFile, read_table, write_table
from oddlens.results.pages.detection import inverted
from oddlens.results.tables.dataset_scores import DatasetScores
from oddlens.results.tables.score_files import read_scores
from oddlens.stages.import_scores import import_scores

ROWS = {name: made_up.ROWS[name] for name in ("good", "dcae", "random", "tried_01", "tried_02")}
WITH_THEIRS = ROWS | {"theirs": (0.0, {"role": "external"})}
PARTS = ("scores", "findings", "pixels", "samples")


def write_shards(folder, known, files=False):
    """Shards without pixels worth mentioning, of the images of a table."""
    paths = []
    for (pool, cls), images in known.groupby(["pool", "class"], sort=False):
        index = images["index"].to_numpy()
        arrays = {"images": np.zeros((len(index), 2, 2), np.float32), "index": index}
        if files:
            arrays["sheet/file"] = np.array([f"{pool}/{cls}-{k}.fits".encode() for k in index])
            arrays["truth/lens"] = index // 2.0
        paths.append(folder / f"{pool}-{cls}.h5")
        shards.write(paths[-1], Shard(arrays, {"pool": pool, "class": cls, "dataset": "model_a"}))
    return paths


def imported(folder, table, shard_paths, **given):
    """The paths of the tables of row `theirs`."""
    table.to_csv(folder / "theirs-given.csv", index=False)
    outputs = {part: folder / made_up.FILES[part].format("theirs") for part in PARTS}
    usual = {"higher_is": "more_anomalous", "claimed": ["model_a"], "known": ["model_a"], "seed": 1, "smooth": "smooth"}
    import_scores(
        outputs,
        table=folder / "theirs-given.csv",
        shard_paths=shard_paths,
        row="theirs",
        dataset="model_a",
        training_sets=made_up.TRAINING_SETS,
        **usual | given,
    )
    return outputs


@pytest.fixture(scope="module")
def joined(tmp_path_factory):
    """Tables of a study with and without outside scores, which are those of row `good` for two training sets."""
    folder = tmp_path_factory.mktemp("joined")
    made = made_up.study(folder, datasets=("model_a",), rows=ROWS, images=60)
    own, _ = read_scores(made["scores"]["model_a"]["good"])
    known = own[own["class"].isin(made_up.CLASSES)]
    columns = ["none-0/1", "none-0/2", "cdm-0.2/1", "cdm-0.2/2"]
    long = known.melt(["pool", "class", "index"], columns, value_name="score")
    long[["training_set", "seed"]] = long.pop("variable").str.split("/", expand=True)
    before = made_up.aggregated(folder / "before", made, ROWS)
    outputs = imported(folder / "model_a", long, write_shards(folder, known))
    for part in PARTS:
        made[part]["model_a"]["theirs"] = outputs[part]
    after = made_up.aggregated(folder / "after", made, WITH_THEIRS)
    return {
        when: {name: pd.read_csv(path) for name, path in paths.items()}
        for when, paths in (("before", before), ("after", after))
    }, made


def test_outside_scores_have_the_numbers_of_the_same_scores_of_our_own(joined):
    auc = joined[0]["after"]["auc"]
    good = auc[(auc["detector"] == "good") & (auc["contaminant"] != "mixed")].drop(columns="detector")
    theirs = auc[auc["detector"] == "theirs"].drop(columns="detector")
    assert len(theirs) == 12
    pd.testing.assert_frame_equal(theirs.reset_index(drop=True), good.reset_index(drop=True))
    assert (auc["status"] == "ok").all()


def test_they_join_paired_tests_ranks_and_lists(joined):
    after = joined[0]["after"]
    pairs = after["pairs"][(after["pairs"][["a", "b"]] == "theirs").any(axis=1)]
    same = pairs[(pairs[["a", "b"]] == "good").any(axis=1)]
    assert len(pairs) == 3 * 2 * 3, "other rows, training sets, anomalies"
    assert (same["difference"] == 0).all()
    assert {"theirs"} <= set(after["ranks"]["detector"])
    for table in ("bins", "population", "false_alarms", "false_alarm_probabilities", "most_anomalous", "contamination"):
        assert "theirs" in set(after[table]["detector"]), table
    assert set(after["summary"].query("detector == 'theirs'")["role"]) == {"external"}


def test_what_only_our_own_models_have_is_empty(joined):
    selection = joined[0]["after"]["selection"]
    theirs = selection[selection["detector"] == "theirs"]
    assert len(theirs) == 2
    assert theirs["pseudo_anomaly_auc"].isna().all()
    assert theirs["auc"].notna().all()
    assert not theirs[["chosen", "best"]].any(axis=None)
    for table in ("anomaly_maps", "findings", "samples"):
        assert "theirs" not in set(joined[0]["after"][table]["detector"])


def test_the_numbers_of_all_other_rows_stay(joined):
    tables, _ = joined
    for name in (
        "auc",
        "summary",
        "selection",
        "bins",
        "population",
        "false_alarms",
        "most_anomalous",
        "contamination",
    ):
        others = tables["after"][name][tables["after"][name]["detector"] != "theirs"].reset_index(drop=True)
        pd.testing.assert_frame_equal(others, tables["before"][name], check_dtype=False)


def test_only_marked_tables_may_lack_images(joined, tmp_path):
    paths = joined[1]["scores"]["model_a"]
    table, about = read_scores(paths["theirs"])
    del about["partial"]
    write_table(tmp_path / "unmarked.csv", table, **about)
    with pytest.raises(DamagedFile, match="its images are not those"):
        DatasetScores.read([paths["good"], tmp_path / "unmarked.csv"], "smooth")
    other = table.assign(index=table["index"] + 1000)
    write_table(tmp_path / "other.csv", other, partial=True, **about)
    with pytest.raises(DamagedFile, match="its images are not those"):
        DatasetScores.read([paths["good"], tmp_path / "other.csv"], "smooth")
    alone = DatasetScores.read([paths["theirs"]], "smooth")
    assert alone.converged.all()


@pytest.fixture
def few(tmp_path):
    """Images of two classes whose outside score is high where they are smooth."""
    known = made_up.truth(20)[["pool", "class", "index"]]
    return known.assign(score=(1.0 * (known["class"] == "smooth") + 0.01 * known["index"]).round(2))


def test_a_direction_that_seems_wrong_is_told_but_never_changed(few, tmp_path, capsys):
    outputs = imported(tmp_path, few, write_shards(tmp_path, few))
    assert "AUC is 0.000. Does a higher score mean the opposite there? Then set higher_is: more_normal" in (
        "".join(capsys.readouterr())
    )
    assert list(read_scores(outputs["scores"])[0]["none-0/1"]) == list(few["score"])


def test_a_stated_direction_changes_the_sign(few, tmp_path, capsys):
    outputs = imported(tmp_path, few, write_shards(tmp_path, few), higher_is="more_normal")
    assert list(read_scores(outputs["scores"])[0]["none-0/1"]) == list(-few["score"])
    assert "opposite" not in "".join(capsys.readouterr())


def test_images_of_the_users_own_are_named_by_their_files(few, tmp_path):
    table = pd.DataFrame({"file": few["pool"] + "/" + few["class"] + "-" + few["index"].astype(str) + ".fits"})
    outputs = imported(tmp_path, table.assign(score=few["score"]), write_shards(tmp_path, few, files=True))
    assert list(read_scores(outputs["scores"])[0]["none-0/1"]) == list(few["score"])
    scores = DatasetScores.read([outputs["scores"]], "smooth")
    assert not scores.simulated
    assert list(scores.lens) == list(few["index"] // 2)
    for part in PARTS[1:]:
        assert len(read_table(outputs[part], part)[0]) == 0


def test_the_report_names_rows_that_seem_inverted():
    line = {"role": "external", "anomaly": "all", "dataset": "a"}
    judged = pd.DataFrame([line | {"detector": "x", "auc": 0.1}, line | {"detector": "y", "auc": 0.45}])
    assert [row["detector"] for row in inverted(judged)] == ["x"]
