"""The whole DAG on 16 x 16 pixels, as users run it, in a fresh copy of the project."""

import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from importlib.metadata import version

import pandas as pd
import pytest

from conftest import ROOT
from oddlens.data import shards
from oddlens.files.tensors import read_tensors
from oddlens.pretrained import published_models
from oddlens.provenance import benchmarks, records
from oddlens.provenance.audit import verify
from project import ONE, add_files_of_the_docs, delete_all_but_images, environment, fresh_copy, planned, snakemake
from toy_lenses import SCALE, write_index, write_lens

pytestmark = pytest.mark.workflow

COLUMNS = ["dataset", "contaminant", "contamination", "detector", "seed", "anomaly", "n_normal", "n_anomalous"]
COLUMNS += [
    "auc",
    "auc_low",
    "auc_high",
    "average_precision",
    "tpr_at_fpr_01",
    "tpr_at_fpr_05",
    "partial_auc",
    "status",
]
TABLES = ["ablations", "anomaly_maps", "auc", "bins", "comparison", "contamination", "decoys", "detection"]
TABLES += ["false_alarm_probabilities", "false_alarms", "findings", "fit_convergence", "fractions", "localisation"]
TABLES += ["most_anomalous", "noise", "pairs", "population"]
TABLES += ["published", "ranks", "regression", "samples", "selection", "summary", "triage", "wilcoxon"]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A copy of the project in which the small study has run once, with Snakemake's output."""
    folder = fresh_copy(tmp_path_factory.mktemp("project"))
    (folder / "output.log").write_text(snakemake(folder, "--verbose", "--cores", "2", *ONE))
    return folder


def test_tables_and_report_are_there(study):
    auc = pd.read_csv(study / "results/smoke/tables/auc.csv")
    assert list(auc.columns) == COLUMNS
    # (rows of all training sets + those of the clean one + supervised) x seeds x (cdm, vortex, all)
    assert len(auc) == (3 * 3 + 7 + 1) * 2 * 3
    assert set(auc["status"]) == {"ok"}
    assert sorted(path.stem for path in (study / "results/smoke/tables").iterdir()) == TABLES
    assert not auc.duplicated(COLUMNS[:6]).any()
    assert auc["auc"].between(0, 1).all()
    assert (auc["auc_low"] <= auc["auc"]).all()
    assert (auc["auc"] <= auc["auc_high"]).all()
    assert (auc.loc[auc["anomaly"] == "all", "n_anomalous"] == 120).all()
    chosen = pd.read_csv(study / "results/smoke/tables/selection.csv").query("chosen")
    assert chosen["sweep"].tolist() == ["swept"]
    assert pd.read_csv(study / "results/smoke/tables/samples.csv")["detector"].unique().tolist() == [
        "swept_01",
        "swept_02",
    ]
    page = (study / "results/smoke/report.html").read_text()
    assert page.count("data:image/png;base64,") == 17 + 1  # figures of the data set, and ranks; of noise none
    assert "http" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", page)


def test_fractions_at_fixed_false_alarm_rates_are_tabulated(study):
    tables = {name: pd.read_csv(study / f"results/smoke/tables/{name}.csv") for name in ("detection", "localisation")}
    whole = tables["detection"][tables["detection"]["truth"].isna()]
    assert set(whole["class"]) == {"smooth", "cdm", "vortex", "all"}
    assert set(whole["n_reference"]) == {60}
    assert whole.groupby("false_alarm_rate")["detected"].count().to_dict() == {0.001: 0, 0.01: 0, 0.1: 4 * 11}
    assert set(tables["localisation"]["detector"]) == {"lensfit"}


def test_snakemakes_own_report_is_made_too(study):
    assert (study / "results/smoke/workflow.html").stat().st_size > 1e5


def test_every_file_is_as_the_record_of_its_job_says(study):
    assert verify([study / "results/smoke"])[1] == 0
    page = (study / "results/smoke/report.html").read_text()
    assert "Commit unknown (no git repository)." in page  # a copy without one
    assert f"torch {version('torch')}" in page  # which the job that writes the report does not load


def test_each_simulation_training_and_scoring_job_is_measured(study):
    measured = benchmarks.read(study / "results/smoke")
    # pools and classes in shards; rows with models of their own, twice; all rows
    assert {rule: len(jobs) for rule, jobs in measured.items()} == {"simulate": 8, "train": 20, "score": 11}
    assert all(job.seconds > 0 for jobs in measured.values() for job in jobs)


def test_jobs_are_selected_when_one_has_ended_and_not_all_the_time(study):
    output = (study / "output.log").read_text()
    assert 0 < output.count("Resources before job selection") <= output.count("Finished jobid") + 1


def test_each_training_has_a_log_with_its_progress(study):
    log = (study / "results/smoke/logs/train/model_a/dcae/seed-1.log").read_text()
    assert re.search(r"epoch 3/5  reconstruction [\d.e-]+  [\d,]+ images/s, \d+s left", log)
    assert re.search(r"epoch 5/5  expectation [\d.e-]+  [\d,]+ images/s, 0s left", log)
    log = (study / "results/smoke/logs/simulate/model_a/train/smooth/000.log").read_text()
    assert re.search(r"200/200 images, [\d,]+ images/s, 0s left", log)


def test_a_second_run_has_nothing_to_do(study):
    assert "Nothing to be done" in snakemake(study, "-n", "--cores", "2", *ONE)


@contextmanager
def edited(path, before, after):
    """The file with one text replaced, until the block ends."""
    source = path.read_text()
    assert source.count(before) == 1
    path.write_text(source.replace(before, after))
    try:
        yield
    finally:
        path.write_text(source)


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        ("detectors/dcae.py", '"""Encoder, code, decoder.', '"""An encoder, a code and a decoder.'),
        ("detectors/interface/image_module.py", "BATCH_SIZE = 256", "# a comment\nBATCH_SIZE = (\n    256\n)"),
        ("schema/config_errors.py", "missing; it has no default", "is missing, and there is no default"),
        ("__init__.py", '__version__ = "', '__version__ = "9.'),
    ],
)
def test_wording_is_free(study, path, before, after):
    with edited(study / "src/oddlens" / path, before, after):
        assert "Nothing to be done" in snakemake(study, "-n", "--cores", "2", *ONE)


def test_a_description_that_the_report_quotes_makes_the_report_anew(study):
    with edited(study / "src/oddlens/detectors/dcae.py", '"""Deep autoencoder: ', '"""A deep autoencoder: '):
        assert planned(study, *ONE) == {"report": 1, "all": 1, "total": 2}


def test_an_edited_detector_is_trained_again_and_nothing_else(study):
    with edited(study / "src/oddlens/detectors/dcae.py", "self.norm(self", "self.norm(-self"):
        # The row that only scores in another way has no models of its own.
        wanted = {"train": 2, "train_clean": 2, "score": 3, "aggregate": 1, "figures": 1, "study_figures": 1}
        wanted |= {"tabulate": 1, "regression_figures": 1, "report": 1, "explore": 1, "all": 1, "total": 15}
        assert planned(study, *ONE) == wanted


def test_an_edited_figure_trains_nothing(study):
    with edited(
        study / "src/oddlens/results/figures/style.py", "import matplotlib\n", "import matplotlib as matplotlib\n"
    ):
        figures = {"figures", "study_figures", "preview", "regression_figures", "report"}
        assert set(planned(study, *ONE)) == {*figures, "all", "total"}


def test_another_training_of_one_row_leaves_the_others(study):
    (study / "more.yaml").write_text("detectors: {iforest: {training: {epochs: 4}}}")
    jobs = planned(study, *ONE, "more.yaml")
    assert (jobs["train"], jobs["score"]) == (2, 1)
    assert "simulate" not in jobs


def test_a_model_is_published_when_the_config_asks(study):
    (study / "publish.yaml").write_text("publish: {model_a: [dcae]}")
    assert "publish" not in planned(study, *ONE)
    snakemake(study, "--cores", "2", *ONE, "publish.yaml", "--", "pretrained/model_a/dcae.md")
    words, same = published_models.verify("model_a/dcae", study / "pretrained")
    assert same, words
    auc = pd.read_csv(study / "results/smoke/tables/auc.csv").query("detector == 'dcae' and contaminant == 'none'")
    first = auc.query("seed == 1 and anomaly == 'vortex'")["auc"].item()
    assert f"| vortex | {first:.3f} |" in (study / "pretrained/model_a/dcae.md").read_text()


def test_real_lenses_are_scored_and_the_most_anomalous_image_is_followed_up(study):
    write_lens(study / "lens", PIXSCALE=SCALE)
    write_index(study, "other,,0.05,lens/data.fits,,,,,", "lost,,0.05,nowhere.fits,,,,,")
    (study / "real.yaml").write_text(
        "real: {ring: {path: lens, claimed: [ring]}, set: index.csv}\n"
        "follow_up: {model_a: {row: lensfit, lenses: 1, live: 50}}"
    )
    snakemake(study, "--cores", "2", *ONE, "real.yaml", "--", "results/smoke/report.html")
    table = pd.read_csv(study / "results/smoke/tables/real.csv")
    scored = table.dropna(subset="score")
    assert set(scored["lens"]) == {"ring", "other"}
    assert set(scored["dataset"]) == {"model_a"}
    assert {"lensfit", "dcae", "flux", "supervised"} <= set(scored["detector"])
    assert "oracle" not in set(scored["detector"])  # it needs the truth
    assert scored.query("detector == 'lensfit'")["doubtful"].isin([0, 1]).all()
    problems = table["problem"].dropna()
    lost = problems.str.contains("nowhere.fits", regex=False)
    assert lost.sum() == 1
    assert problems[~lost].str.contains("takes residuals").all()  # if no fit of this tiny study converges
    assert ("dcae_residual" in set(scored["detector"])) == lost.all()
    assert (study / "results/smoke/real/model_a/ring.png").stat().st_size > 1e4
    claims = pd.read_csv(study / "results/smoke/tables/real_claims.csv")
    assert set(claims["lenses"]) == {2}
    page = (study / "results/smoke/report.html").read_text()
    assert re.search(r"lost.*nowhere\.fits", page)
    most_anomalous = pd.read_csv(study / "results/smoke/tables/most_anomalous.csv").query("detector == 'lensfit'")
    follow_up = pd.read_csv(study / "results/smoke/follow_up/model_a/1.csv")
    assert follow_up["id"].tolist() == most_anomalous["id"].head(1).tolist()
    assert follow_up["log_bayes"].notna().all()
    assert page.count(follow_up["id"].item()) > 1  # in the list of the most anomalous images, and above its fits


def test_one_more_contamination_trains_only_what_is_new(study):
    models = study / "results/smoke/models/model_a/dcae/seed-1"
    before = {path.name: path.read_bytes() for path in models.glob("*.safetensors")}
    (study / "more.yaml").write_text("contamination: {fractions: {mixed: [0.05, 0.1]}}")
    target = "results/smoke/models/model_a/dcae/seed-1/losses.csv"
    snakemake(study, "--cores", "2", *ONE, "more.yaml", "--", target)
    log = (study / "results/smoke/logs/train/model_a/dcae/seed-1.log").read_text()
    assert log.count(": kept, ") == 3
    assert "mixed-0.05, seed 1: 256 images" in log
    after = {path.name: path.read_bytes() for path in models.glob("*.safetensors")}
    assert after.pop("mixed-0.05.safetensors")
    assert after == before


def test_a_damaged_shard_is_refused_with_its_path_and_made_again(tmp_path, study):
    folder = tmp_path / "copy"
    shutil.copytree(study, folder, symlinks=True)
    shard = folder / "results/smoke/shards/model_a/test/cdm/000.h5"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    scores = "results/smoke/scores/model_a/flux.csv"
    output = snakemake(folder, "--cores", "2", *ONE, "--forcerun", "score", "--", scores, fails=True)
    end = output.partition("results/smoke/logs/score/model_a/flux.log\n  | ")[2]
    assert "test/cdm/000.h5 is damaged" in end, "a failed run ends with the last lines of the log"
    assert "run the same command again" in end
    shard.unlink()
    before = (study / scores).read_bytes()
    snakemake(folder, "--cores", "2", *ONE, "--", scores)
    assert shard.read_bytes() == content
    assert (folder / scores).read_bytes() == before


def test_a_detector_and_a_class_of_dark_matter_are_files_of_their_own(study):
    """Those of docs/adding.md, with its row."""
    page = (ROOT / "docs/adding.md").read_text()
    row = re.search(r"`(bottleneck: .*?)`", page).group(1)
    (study / "new.yaml").write_text(
        f"only: [bottleneck]\ndetectors: {{{row}}}\ndatasets: {{model_a: {{preset: [model_a, lump]}}}}"
    )
    written = add_files_of_the_docs(study)
    try:
        snakemake(study, "--cores", "2", *ONE, "new.yaml", "--", "results/smoke/scores/model_a/bottleneck.csv")
    finally:
        for path in written:
            path.unlink()
    scores = pd.read_csv(study / "results/smoke/scores/model_a/bottleneck.csv", comment="#")
    assert scores["none-0/1"].nunique() > 100
    truth = shards.read(study / "results/smoke/shards/model_a/test/lump/000.h5").arrays
    assert (truth["truth/substructure_mass_msun"] > 0).all()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (
            "trainig: {epochs: 3}",
            "trainig: unknown key. Known: study, seed, datasets, contamination, training, detectors, only",
        ),
        ("detectors: {dcea: {}}", "Did you mean 'dcae'?"),
        ("training: {epochs: -1}", "training.epochs"),
    ],
)
def test_a_wrong_config_stops_before_the_first_job(study, written, message):
    (study / "wrong.yaml").write_text(written)
    output = snakemake(study, "--cores", "2", "--configfile", "wrong.yaml", fails=True)
    assert message in output
    assert "Traceback" not in output
    assert "rule simulate" not in output


@pytest.mark.parametrize("arguments", [["--cores", "8", "--use-conda"], ["--profile", "slurm"]])
def test_a_fresh_copy_plans_with_conda_and_slurm(tmp_path, monkeypatch, arguments):
    """Without conda with its stand-in: a dry run makes no environment."""
    folder = fresh_copy(tmp_path / "project")
    if not shutil.which("conda"):
        monkeypatch.setenv("PATH", str(ROOT / "tests/conda/bin"), prepend=os.pathsep)
    assert re.search(r"^train\s+56$", snakemake(folder, "-n", *arguments), re.MULTILINE)


def test_a_study_that_cannot_be_written_stops_before_the_first_job(tmp_path, read_only_disk):
    folder = fresh_copy(tmp_path / "project")
    (folder / "results").symlink_to(read_only_disk)
    target = "results/smoke/splits/model_a/seed-1.csv"
    output = snakemake(folder, "--cores", "2", *ONE, "--", target, fails=True)
    assert "results/smoke/config.yaml cannot be written: " in output
    assert "is on a read-only file system" in output
    assert "Traceback" not in output
    assert "rule split" not in output


def test_the_example_of_a_sites_profile_plans(tmp_path):
    """That of docs/cluster.md. A third attempt would need three days where the partition allows one."""
    folder = fresh_copy(tmp_path / "project")
    page = (ROOT / "docs/cluster.md").read_text()
    (folder / "mysite").mkdir()
    (folder / "mysite/config.v9+.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    profiles = ["--profile", "slurm", "--profile", "mysite"]
    output = snakemake(folder, "-n", *profiles, "--attempt", "3", "--configfile", "tests/config.yaml")
    training = re.search(r"^rule train:.*?resources: (.*?)$", output, re.MULTILINE | re.DOTALL).group(1)
    wanted = {"slurm_partition=a100", "slurm_account=astro", "gpu_model=a100", "gpu=1", "runtime=1440"}
    assert wanted <= set(training.split(", "))
    assert "Group job shards" in output


def test_a_second_attempt_asks_for_twice_the_memory_and_time(tmp_path):
    folder = fresh_copy(tmp_path / "project")
    write_lens(folder / "lens", PIXSCALE=SCALE)
    (folder / "real.yaml").write_text("real: {ring: lens}")
    arguments = ["--configfile", "tests/config.yaml", "real.yaml", "--", "all", "results/smoke/export/model_a"]
    asked = {}
    for attempt in (1, 2):
        output = snakemake(folder, "-n", "--cores", "2", "--attempt", str(attempt), *arguments)
        jobs = re.findall(r"^rule (\w+):.*?^    resources: (.*?)$", output, re.MULTILINE | re.DOTALL)
        numbers = {rule: re.findall(r"(?:mem_mb|runtime)=(\d+)", resources) for rule, resources in jobs}
        asked[attempt] = {rule: sorted(map(int, found)) for rule, found in numbers.items() if found}
    rules = {
        "simulate",
        "residual_inputs",
        "train",
        "train_clean",
        "train_labelled",
        "score",
        "fit_convergence",
        "real",
        "export",
    }
    rules |= {"regress", "estimate"}
    assert set(asked[1]) == rules
    assert asked[2] == {rule: [2 * number for number in numbers] for rule, numbers in asked[1].items()}


def test_a_killed_run_goes_on_and_ends_with_the_same_tables(study, tmp_path):
    """A run killed while training, with all its jobs, and started again; compared with an undisturbed run."""
    small = """
    contamination: {seeds: [1], fractions: {cdm: null}}
    only: [dcae]
    detectors: {dcae: {training: {epochs: 150, checkpoint_s: 0.05}}}
    """
    tables, recorded = {}, {}
    for name in ("undisturbed", "killed"):
        folder = shutil.copytree(study, tmp_path / name, symlinks=True)
        delete_all_but_images(folder)
        (folder / "small.yaml").write_text(small)
        arguments = ["--cores", "2", *ONE, "small.yaml", "--", "results/smoke/tables/auc.csv"]
        if name == "killed":
            models = folder / "results/smoke/models/model_a/dcae/seed-1"
            run = subprocess.Popen(
                ["snakemake", *arguments],
                cwd=folder,
                env=environment(),
                start_new_session=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            deadline = time.time() + 300
            while time.time() < deadline and run.poll() is None:
                if any(read_tensors(path)[1]["epoch"] for path in models.glob(".mixed-0.1*.checkpoint")):
                    break
                time.sleep(0.05)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
            assert (models / "none-0.safetensors").exists()
            assert not (models / "losses.csv").exists()
            snakemake(folder, "--unlock", *arguments[:-2])
        snakemake(folder, *arguments)
        tables[name] = {f.name: f.read_bytes() for f in (folder / "results/smoke/tables").iterdir()}
        found = records.read_all(folder / "results/smoke")
        recorded[name] = {path.relative_to(folder): record for path, record in found.items()}
        assert verify([folder / "results/smoke"])[1] == 0
        log = (folder / "results/smoke/logs/train/model_a/dcae/seed-1.log").read_text()
        first = re.findall(r"epoch (\d+)/225", log)  # the expectation takes half as many again
        assert ("1" in first[:1]) == (name == "undisturbed"), "the killed run did not resume from its checkpoint"
        assert not list(folder.glob("results/**/.*.part"))
        assert not list(folder.glob("results/**/.*.checkpoint"))
    assert tables["undisturbed"] == tables["killed"]
    assert recorded["undisturbed"] == recorded["killed"], "equal inputs and outputs, and no times"
