"""Tables of outside scores as people write them: what is read, and what is refused with its line."""

import numpy as np
import pandas as pd
import pytest

from oddlens.results.tables.external_scores import Expected, read_external_scores

IMAGES = pd.DataFrame(
    [("test", cls, k) for cls in ("smooth", "cdm") for k in range(3)] + [("validation", "smooth", k) for k in range(2)],
    columns=["pool", "class", "index"],
)
FILES = IMAGES.assign(file=[f"images/{pool}/{cls}_{k}.fits" for pool, cls, k in IMAGES.itertuples(index=False)])


@pytest.fixture
def table():
    """A complete table: the score of an image is its number."""
    return IMAGES.assign(score=np.arange(8.0))


@pytest.fixture
def read(tmp_path):
    """Write a table, or text, and read it back."""

    def _read(written, images=IMAGES, **given):
        path = tmp_path / "theirs.csv"
        path.write_text(written if isinstance(written, str) else written.to_csv(index=False))
        known = ["mine", "other"]
        expected = {"dataset": "mine", "claimed": ["mine"], "known": known, "training_sets": ["none-0", "cdm-0.1"]}
        return read_external_scores(path, Expected(images, **{**expected, "seed": 4, **given}))

    return _read


def refused(read, written, **given):
    """The lines of the error, without the name of the file."""
    with pytest.raises(ValueError, match=r"theirs\.csv") as error:
        read(written, **given)
    return [line.partition("theirs.csv")[2] for line in str(error.value).splitlines()]


def test_the_order_of_lines_does_not_matter(read, table):
    found = read(table.sample(frac=1, random_state=1))
    assert list(found) == ["pool", "class", "index", "none-0/4"]
    pd.testing.assert_frame_equal(found[["pool", "class", "index"]], IMAGES)
    assert list(found["none-0/4"]) == list(range(8))


def test_models_are_columns_in_the_order_of_training_sets_and_seeds(read, table):
    parts = [
        table.assign(training_set=c, seed=s, score=table["score"] + s) for c in ("cdm-0.1", "none-0") for s in (10, 9)
    ]
    found = read(pd.concat(parts))
    assert list(found)[3:] == ["none-0/9", "none-0/10", "cdm-0.1/9", "cdm-0.1/10"]
    assert found["cdm-0.1/10"][3] == 13


def test_comments_other_separators_and_training_images_are_left_out(read, table):
    train = pd.DataFrame({"pool": ["train"], "class": ["smooth"], "index": [77], "score": [0.5]})
    text = "# anomalib\n" + pd.concat([train, table]).to_csv(index=False, sep="\t")
    assert len(read(text)) == 8


def test_files_are_matched_to_those_of_the_sheet(read):
    table = FILES.assign(score=np.arange(8.0))[["file", "score"]]
    table.loc[0, "file"] = "./" + table.loc[0, "file"]
    found = read(table[::-1], FILES)
    assert list(found["none-0/4"]) == list(range(8))
    assert "file" not in found


def test_lines_of_other_data_sets_are_left_out(read, table):
    both = pd.concat([table.assign(dataset="other", score=-1), table.assign(dataset="mine")])
    assert list(read(both)["none-0/4"]) == list(range(8))
    assert "no scores of data set mine" in refused(read, table.assign(dataset="other"))[0]
    assert (
        "unknown data set 'mien'. Known: mine, other. Did you mean 'mine'?"
        in refused(read, table.assign(dataset="mien"))[0]
    )
    assert "no column 'dataset'" in refused(read, table, claimed=["mine", "other"])[0]


def test_all_mistakes_are_told_at_once_with_their_lines(read, table):
    table = table.astype({"score": str, "index": str, "class": str})
    table.loc[1, "score"] = "nan"
    table.loc[2, "index"] = "7"
    table.loc[3, "class"] = "cmd"
    table.loc[5, "score"] = "1,5"
    table = pd.concat([table, table.iloc[[0]]])
    lines = refused(read, table)
    assert lines == [
        ", line 4: unknown image test/smooth/7. test/smooth has 3 images, numbered from 0 (got 7)",
        ", line 5: unknown image test/cmd/0. Known: test/smooth, test/cdm, validation/smooth. Did you mean 'test/cdm'?",
        ", line 3: score is 'nan': must be a finite number",
        ", line 7: score is '1,5': must be a finite number",
        ", lines 2, 10: one image has 2 scores by one model: keep one",
        ": 1 images of test/smooth have no score (training set none-0, seed 4), such as test/smooth/2",
        ": 1 images of test/cdm have no score (training set none-0, seed 4), such as test/cdm/0",
    ]


@pytest.mark.parametrize("score", ["", "inf", "-Infinity", "1e999", "high"])
def test_scores_that_are_not_finite_are_refused(score, read, table):
    table["score"] = table["score"].astype(str)
    table.loc[4, "score"] = score
    assert refused(read, table) == [f", line 6: score is '{score}': must be a finite number"]


def test_a_model_that_lacks_a_pool_is_refused(read, table):
    found = refused(read, table[table["pool"] == "test"])
    assert found == [
        ": 2 images of validation/smooth have no score (training set none-0, seed 4), such as validation/smooth/0"
    ]


def test_a_second_seed_must_be_complete_too(read, table):
    found = refused(read, pd.concat([table.assign(seed=1), table.assign(seed=2)[:-1]]))
    assert [("seed 2" in line, "seed 1" in line) for line in found] == [(True, False)]


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("seed", "one", "seed is 'one': must be a whole number"),
        ("seed", "-1", "seed is '-1'"),
        ("training_set", "cdm-0.2", "unknown training set 'cdm-0.2'. Known: none-0, cdm-0.1. Did you mean 'cdm-0.1'?"),
    ],
)
def test_unknown_models_are_refused(column, value, words, read, table):
    assert words in refused(read, table.assign(**{column: value}))[0]


def test_the_nearest_file_is_named(read):
    table = FILES.assign(score=1.0)[["file", "score"]]
    table.loc[2, "file"] = "elsewhere/test/smooth_2.fits"
    assert "Did you mean images/test/smooth_2.fits?" in refused(read, table, images=FILES)[0]


def test_images_must_be_named_in_a_way_that_the_data_set_has(read, table):
    assert "it needs the columns pool, class and index" in refused(read, FILES[["file"]].assign(score=1.0))[0]
    assert "names no images" in refused(read, table[["index", "score"]])[0]
    assert "no column 'score'" in refused(read, IMAGES)[0]


def test_only_the_first_mistakes_are_shown(read, table):
    many = pd.concat([table, pd.DataFrame({"pool": "test", "class": "cdm", "index": range(100, 500), "score": 1.0})])
    lines = refused(read, many)
    assert len(lines) == 21, "and the others are counted"
