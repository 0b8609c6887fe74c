"""The submission file of the Roman Data Challenge."""

import numpy as np
import pandas as pd
import pytest

from oddlens.results.tables.roman_submission import read_probabilities, submission, write_roman_submission

IDS = [f"strong_lens_{k:08}" for k in (12, 3, 700)]


def scores(path, probabilities, ids=IDS):
    images = [f"roman.h5#images/{name}/exposure_1_F129" for name in ids]
    pd.DataFrame({"image": images, "score": 1.0, "false_alarm_probability": probabilities}).to_csv(path, index=False)
    return path


def test_answers_are_zero_and_one_in_the_given_order(tmp_path):
    write_roman_submission(tmp_path / "a.csv", IDS, [True, False, True])
    text = "ID,has_substructure\nstrong_lens_00000012,1\nstrong_lens_00000003,0\nstrong_lens_00000700,1\n"
    assert (tmp_path / "a.csv").read_bytes() == text.encode()
    write_roman_submission(tmp_path / "a.csv", ["12", "3"], np.array([0, 1]))
    assert (tmp_path / "a.csv").read_text() == "ID,has_substructure\n12,0\n3,1\n"


@pytest.mark.parametrize(
    ("ids", "answers", "words"),
    [
        (IDS, ["True", "False", "False"], "truth values"),
        (IDS, [0.3, 1, 0], "truth values"),
        (IDS, [0, 1], "3 IDs and 2 answers"),
        ([], [], "0 IDs"),
        (["7", "strong_lens_00000007", "8"], [0, 1, 1], "one lens"),
        (["lens 7", "8", "9"], [0, 1, 1], "'lens 7'"),
        (["7.53391E+16", "8", "9"], [0, 1, 1], "7.53391E"),
    ],
)
def test_what_would_be_graded_wrongly_is_refused(tmp_path, ids, answers, words):
    with pytest.raises(ValueError, match=words):
        write_roman_submission(tmp_path / "a.csv", ids, answers)
    assert not list(tmp_path.iterdir())


def test_the_key_gives_the_order_and_the_form_of_the_ids(tmp_path):
    probabilities = read_probabilities(scores(tmp_path / "scores.csv", [0.5, 0.01, 1e-4]))
    ids, answers = submission(probabilities, 0.01, key=["700", "3", "12"])
    assert (ids, answers.tolist()) == (["700", "3", "12"], [True, True, False])
    assert submission(probabilities, 0.001)[1].tolist() == [False, False, True]


def test_a_long_integer_keeps_all_its_digits(tmp_path):
    (tmp_path / "scores.csv").write_text("ID,false_alarm_probability\n75339100000000001,0.5\n75339100000000002,0.001\n")
    ids, answers = submission(read_probabilities(tmp_path / "scores.csv"), 0.01)
    assert (ids, answers.tolist()) == (["75339100000000001", "75339100000000002"], [False, True])


def test_lenses_without_a_score_need_an_answer(tmp_path):
    probabilities = read_probabilities(scores(tmp_path / "scores.csv", [0.5, np.nan, 1e-4]))
    with pytest.raises(ValueError, match=r"1 lenses.*strong_lens_00000003.*--missing"):
        submission(probabilities, 0.01)
    assert submission(probabilities, 0.01, missing=1)[1].tolist() == [False, True, True]
    assert submission(probabilities, 0.01, [*IDS, "strong_lens_9"], 0)[1].tolist() == [False, False, True, False]
    with pytest.raises(ValueError, match=r"1 lenses are not in the key: 700"):
        submission(probabilities, 0.01, IDS[:2], 0)


def test_two_bands_of_a_lens_are_not_two_answers(tmp_path):
    with pytest.raises(ValueError, match="one --band"):
        read_probabilities(scores(tmp_path / "scores.csv", [0.1] * 3, [IDS[0], IDS[1], IDS[0]]))


def test_a_band_of_a_ranking_is_chosen(tmp_path):
    lines = [
        (f"strong_lens_0/roman.h5#images/{name}/exposure_1_{band}", band) for name in IDS for band in ("F106", "F129")
    ]
    table = pd.DataFrame(lines, columns=["file", "band"]).assign(consensus=np.linspace(0.1, 0.6, 6), p_aae=0.5)
    table.to_csv(tmp_path / "ranking.csv", index=False)
    found = read_probabilities(tmp_path / "ranking.csv", "consensus", "F129")
    assert list(found) == IDS
    np.testing.assert_allclose(list(found.values()), [0.2, 0.4, 0.6])
    table.drop(columns="band").to_csv(tmp_path / "names.csv", index=False)
    assert read_probabilities(tmp_path / "names.csv", "consensus", "F129") == found
    for column, band, words in [
        ("consensus", "", "--band"),
        ("consensus", "F62", "no line"),
        ("p_ae", "F106", "p_aae"),
    ]:
        with pytest.raises(ValueError, match=words):
            read_probabilities(tmp_path / "ranking.csv", column, band)


def test_the_command_writes_it_and_overwrites_nothing(oddlens_command, tmp_path):
    table, key = scores(tmp_path / "scores.csv", [0.5, 0.01, 1e-4]), tmp_path / "key.csv"
    key.write_text("ID,has_substructure\n3,\n12,\n700,\n")
    end = oddlens_command(
        "submission", table, "--false-alarm", 0.01, "--key", key, "--output", tmp_path / "team_rung1_submission1.csv"
    )
    assert end.status == 0
    assert "2 of 3" in end.out
    written = (tmp_path / "team_rung1_submission1.csv").read_text()
    assert written == "ID,has_substructure\n3,1\n12,0\n700,1\n"
    assert oddlens_command("submission", table, "--false-alarm", 0.01, "--output", table).status == 2
    assert oddlens_command("submission", table, "--false-alarm", 1.5, "--output", tmp_path / "b.csv").status == 2
