from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from oddlens.config.study import parse_study
from oddlens.config.training_plan import labelled_counts
from oddlens.data import splits
from oddlens.data.training_sets import parse_training_set, training_set_name
from oddlens.files.artefacts import DamagedFile, write_table

POOLS = {
    "smooth": "smooth",
    "train": range(120),
    "contaminants": {"cdm": range(40), "vortex": range(40)},
    "dataset": "model_a",
}


def sampled(training_sets, images=100, seed=1, replica=1, known=None):
    return splits.split(training_sets, seed=seed, replica=replica, images=images, known=known or {}, **POOLS)


def members(table, training_set, pool=None):
    chosen = table[table[training_set] == 1]
    chosen = chosen if pool is None else chosen[chosen["pool"] == pool]
    return set(chosen[splits.IDENTITY].itertuples(index=False, name=None))


@given(
    kind=st.sampled_from(["cdm", "vortex", "mixed"]),
    fractions=st.lists(st.floats(0.01, 0.4), min_size=2, max_size=4, unique_by=lambda p: f"{p:g}"),
    replica=st.integers(0, 99),
)
@hypothesis_settings(max_examples=30, deadline=None)
def test_sets_have_their_size_their_fraction_and_are_nested(kind, fractions, replica):
    training_sets = [training_set_name(kind, p) for p in sorted(fractions)]
    table = sampled(training_sets, replica=replica)
    for training_set in training_sets:
        assert len(members(table, training_set)) == 100
        assert len(members(table, training_set, "contaminant")) == round(parse_training_set(training_set)[1] * 100)
    for less, more in pairwise(training_sets):
        assert members(table, less, "contaminant") <= members(table, more, "contaminant")
        assert members(table, more, "train") <= members(table, less, "train")


def test_the_mixture_is_balanced_at_every_fraction():
    table = sampled(["mixed-0.05", "mixed-0.2"])
    for training_set in ("mixed-0.05", "mixed-0.2"):
        classes = [cls for _, cls, _ in members(table, training_set, "contaminant")]
        assert abs(classes.count("cdm") - classes.count("vortex")) <= 1


def test_the_clean_set_is_clean():
    table = sampled(["none-0", "cdm-0.1"])
    assert members(table, "none-0", "contaminant") == set()


def test_a_set_does_not_depend_on_which_others_are_drawn():
    alone, among = sampled(["cdm-0.1"]), sampled(["none-0", "cdm-0.1", "mixed-0.3"])
    assert members(alone, "cdm-0.1") == members(among, "cdm-0.1")


def test_seeds_draw_other_images():
    assert members(sampled(["none-0"], replica=1), "none-0") != members(sampled(["none-0"], replica=2), "none-0")
    assert members(sampled(["none-0"], seed=1), "none-0") != members(sampled(["none-0"], seed=2), "none-0")


def test_too_small_a_pool_is_refused():
    with pytest.raises(ValueError, match=r"cdm-0\.5: 100 images cannot be sampled from 120 \+ 40"):
        sampled(["cdm-0.5"])


def test_missing_images_are_in_no_set():
    present = [k for k in range(120) if k % 5]
    table = splits.split(["none-0"], seed=1, replica=1, images=90, known={}, **{**POOLS, "train": present})
    assert {index for _, _, index in members(table, "none-0")} <= set(present)
    assert len(members(table, "none-0")) == 90


def test_labelled_anomalies_are_in_no_training_set():
    table = sampled(["none-0", "cdm-0.3", "mixed-0.3"], known={"cdm": 10, "vortex": 3})
    known = table[table[splits.KNOWN] > 0]
    assert known.groupby("class")[splits.KNOWN].apply(sorted).to_dict() == {"cdm": [*range(1, 11)], "vortex": [1, 2, 3]}
    assert not known[["none-0", "cdm-0.3", "mixed-0.3"]].to_numpy().any()
    fewer = sampled(["none-0", "cdm-0.3", "mixed-0.3"], known={"cdm": 4})
    first = known[(known["class"] == "cdm") & (known[splits.KNOWN] <= 4)]
    assert fewer.loc[fewer[splits.KNOWN] > 0, "index"].tolist() == first["index"].tolist()
    assert members(fewer, "cdm-0.3") == members(table, "cdm-0.3")
    with pytest.raises(ValueError, match=r"cdm-0\.3: 5 of its anomalies are labelled"):
        sampled(["cdm-0.3"], known={"cdm": 15})


def test_labels_are_balanced_and_fewer_are_among_more():
    table = sampled(["none-0", "labelled-0.5"], known={"smooth": 40, "cdm": 20, "vortex": 20})
    more = splits.labelled_images(table, {"smooth": 40, "cdm": 20, "vortex": 20})
    fewer = splits.labelled_images(table, {"smooth": 10, "cdm": 5, "vortex": 5})
    assert more["class"].value_counts().to_dict() == {"smooth": 40, "cdm": 20, "vortex": 20}
    assert fewer["class"].value_counts().to_dict() == {"smooth": 10, "cdm": 5, "vortex": 5}
    assert set(fewer.index) < set(more.index)
    assert splits.labelled_images(table, {"smooth": 0, "cdm": 0, "vortex": 0}).empty
    others = sampled(["none-0", "labelled-0.5"], known={"smooth": 40, "cdm": 20, "vortex": 20}, replica=2)
    assert not splits.labelled_images(others, {"cdm": 5}).equals(splits.labelled_images(table, {"cdm": 5}))


def test_written_splits_are_read_back(tmp_path):
    table = sampled(["none-0", "mixed-0.2"])
    splits.write(tmp_path / "s.csv", table)
    assert splits.read(tmp_path / "s.csv").equals(table.astype(dict.fromkeys(("none-0", "mixed-0.2"), "int64")))


def test_another_kind_of_table_is_no_split(tmp_path):
    write_table(tmp_path / "s.csv", sampled(["none-0"]), kind="scores")
    with pytest.raises(DamagedFile, match=r"s\.csv.*'scores'.*'splits'"):
        splits.read(tmp_path / "s.csv")


@given(st.sampled_from(["cdm", "mixed", "a_b"]), st.floats(1e-4, 0.5))
def test_names_of_training_sets_are_parsed_back(kind, p):
    contaminant, fraction = parse_training_set(training_set_name(kind, p))
    assert contaminant == kind
    assert fraction == pytest.approx(p, rel=1e-5)


def test_a_data_set_without_a_contaminant_pool_has_clean_training_sets(config):
    """As the config has it: no row has a label of it."""
    config["datasets"]["model_a"]["images"] = {"train": 220, "contaminant": 0, "validation": 20, "test": 20}
    config |= {"contamination": {"images": 200, "fractions": {"mixed": None}, "seeds": [1]}, "only": ["oracle"]}
    study = parse_study(config)
    known = labelled_counts(study, study.datasets["model_a"].pools, study.detectors)
    smooth = {"smooth": "smooth", "train": range(220), "dataset": "model_a"}
    table = splits.split(["none-0"], seed=1, replica=1, images=200, contaminants={}, known=known, **smooth)
    assert len(members(table, "none-0")) == 200
