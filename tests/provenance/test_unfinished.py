import os

from oddlens.provenance.unfinished import LAST_LINES, MAX_JOBS, failure_text, unfinished_jobs


def study(folder, **logs):
    """A study whose run started at time 100; of each log its time and whether its job has finished."""
    (folder / "logs").mkdir()
    (folder / "config.yaml").touch()
    os.utime(folder / "config.yaml", (100, 100))
    for name, (written, finished) in logs.items():
        path = folder / f"logs/{name}.log"
        path.write_text("".join(f"{name} line {k}\n" for k in range(100)))
        os.utime(path, (written, written))
        if finished:
            path.with_suffix(".json").touch()
    return folder


def test_jobs_without_a_record_since_the_start_of_the_run_are_unfinished(tmp_path):
    found = unfinished_jobs(study(tmp_path, late=(130, False), early=(120, False), done=(125, True), old=(90, False)))
    assert [path.stem for path in found] == ["early", "late"]


def test_the_last_lines_of_their_logs_are_shown(tmp_path):
    text = failure_text(study(tmp_path, train=(130, False), done=(125, True)))
    assert str(tmp_path / "logs/train.log") in text
    assert text.count("train line") == LAST_LINES
    assert "train line 99" in text
    assert "done line" not in text


def test_of_many_logs_some_are_shown_and_all_are_named(tmp_path):
    names = [f"job{k}" for k in range(MAX_JOBS + 2)]
    text = failure_text(study(tmp_path, **dict.fromkeys(names, (130, False))))
    assert text.count("line 99") == MAX_JOBS
    assert all(f"{name}.log" in text for name in names)


def test_a_run_that_fails_outside_of_jobs_says_so(tmp_path):
    assert "see above" in failure_text(study(tmp_path, done=(130, True)))
