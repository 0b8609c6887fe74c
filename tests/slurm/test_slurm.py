"""A small study on a real Slurm of one node (cluster.sh): requested resources, and jobs that end early.

Run by `make test-slurm`. Each test has its own folder, with the same images, simulated once.
"""

import os
import re
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from conftest import ROOT
from project import ON_SLURM, environment, fresh_copy, snakemake
from toy_lenses import SCALE, write_lens

pytestmark = pytest.mark.slurm

HERE = Path(__file__).parent
# Two groups of simulations, one for each core.
SLURM = [*ON_SLURM, "--group-components", "shards=4", "residuals=7", "scores=2"]
POOLS = ["train/smooth", "contaminant/cdm", "contaminant/vortex", "validation/smooth"]
POOLS += ["test/smooth", "test/cdm", "test/vortex"]
CONFIGS = ["--configfile", "tests/config.yaml", "small.yaml"]
RESOURCES = "workflow/rules/common.smk"
DCAE = "results/smoke/models/model_a/dcae/seed-1"
LOSSES = f"{DCAE}/losses.csv"
LOG = "results/smoke/logs/train/model_a/dcae/seed-1.log"


def jobs(output: str) -> dict[str, str]:
    """The jobs in Snakemake's output: of each Slurm number the rule or group, from the path of Slurm's log."""
    submitted = re.findall(r"submitted with SLURM jobid (\d+) \(log: \S*?/logs/slurm/(?:rule|group)_([^/ ]+)", output)
    return dict(submitted)


def slurm(number: str) -> dict[str, str]:
    """The properties of a job in Slurm."""
    shown = subprocess.run(["scontrol", "show", "job", number], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"(\w+)=(\S*)", shown))


def requested(output: str, rule: str) -> list[str]:
    """The partition, time, cores, memory and GPUs of each job of a rule in Slurm, in the order of submission."""
    found = [slurm(number) for number, name in jobs(output).items() if name == rule]
    return [
        f"{job['Partition']} {job['TimeLimit']} {job['TRES'].split(',node')[0]} {job.get('TresPerJob', '')}".strip()
        for job in found
    ]


def log_of(folder: Path, number: str) -> str:
    """Slurm's log of a job."""
    (log,) = (folder / "logs/slurm").glob(f"**/{number}.log")
    return log.read_text()


@contextmanager
def running(folder: Path, *arguments: str):
    """A running Snakemake with its output in output.log; killed at the end if it still runs."""
    with (folder / "output.log").open("w") as output:
        run = subprocess.Popen(
            ["snakemake", *arguments], cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield run
        finally:
            run.kill()
            run.wait()


def await_that(condition, what: str, seconds: float = 600):
    """The first true value of `condition`."""
    deadline = time.time() + seconds
    while not (found := condition()):
        assert time.time() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)
    return found


def resumed_at(folder: Path) -> int:
    """The first epoch in the log of a resumed training; 0 if it started from the beginning, or has not started."""
    log = folder / LOG
    first = re.search(r"epoch (\d+)/", log.read_text()) if log.exists() else None
    return int(first.group(1)) if first and first.group(1) != "1" else 0


def numbers(folder: Path) -> list[str]:
    """Slurm's numbers of the jobs that the running Snakemake has submitted so far."""
    return list(jobs((folder / "output.log").read_text()))


def gpu_of(number: str) -> str | None:
    """The GPU that a running training sees."""
    listed = subprocess.run(["scontrol", "listpids", number], check=True, capture_output=True, text=True).stdout
    for process in map(psutil.Process, map(int, re.findall(r"^(\d+)", listed, re.MULTILINE))):
        if "train.py" in " ".join(process.cmdline()):
            return process.environ().get("CUDA_VISIBLE_DEVICES")
    return None


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A copy of the project with the images and splits that trainings read, and Snakemake's output."""
    folder = fresh_copy(tmp_path_factory.mktemp("slurm") / "images")
    shutil.copy(HERE / "small.yaml", folder)
    write_lens(folder / "lens", PIXSCALE=SCALE)
    wanted = [f"results/smoke/shards/model_a/{pool}/000.h5" for pool in POOLS]
    return folder, snakemake(folder, *SLURM, *CONFIGS, "--", "results/smoke/splits/model_a/seed-1.csv", *wanted)


def another(images: Path, folder: Path, epochs: int) -> Path:
    """A copy that trains for some epochs and saves a checkpoint every second."""
    shutil.copytree(images, folder, symlinks=True)
    (folder / "long.yaml").write_text(f"detectors: {{dcae: {{training: {{epochs: {epochs}, checkpoint_s: 1}}}}}}")
    return folder


def rewrite(file: Path, old: str, new: str) -> None:
    """Change a line of a copy."""
    assert file.read_text().count(old) == 1, f"{file.name} has no single '{old}'"
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture(scope="module")
def hurried(images, tmp_path_factory):
    """A copy in which a training needs hours and gets a minute, started at once; and its end, after it has resumed.

    It sleeps most of the time, because other tests need its core.
    """
    folder = another(images[0], tmp_path_factory.mktemp("slurm") / "hurried", 100_000)
    rewrite(folder / RESOURCES, "doubled(720,", "doubled(1,")
    saved = "write_tensors(self.path, tensors, header)"
    rewrite(folder / "src/oddlens/training/checkpoints.py", saved, f"{saved}; time.sleep(5)")

    def until_resumed():
        try:
            await_that(lambda: resumed_at(folder), "a resumed training", 1200)
        finally:
            run.kill()
            subprocess.run(["scancel", *numbers(folder)], check=True)

    wanted = [*SLURM, "--retries", "4", *CONFIGS, "long.yaml", "--", LOSSES]
    with running(folder, *wanted) as run, ThreadPoolExecutor(1) as pool:
        yield folder, pool.submit(until_resumed)


@pytest.fixture(scope="module")
def study(images, hurried):
    """The copy in which the study has run, and Snakemake's output."""
    folder, output = images
    return folder, output + snakemake(folder, *SLURM, *CONFIGS, "--", "all", "results/smoke/export/model_a")


ELSEWHERE = {"retrieve", "import_scores"}
"""Rules that need downloads, or scores of another program."""
ELSEWHERE |= {"camera", "ingest", "train_as_given", "leaks", "leak_table", "most_anomalous"}
ELSEWHERE |= {"inject", "score_injected", "completeness"}
"""And those of the user's own images and of injected masses: tests/workflow/test_files_study.py."""
ELSEWHERE |= {"fit_frames", "fit_twins", "lens_fit_tables"}
"""And those of real lenses at their own resolution: tests/workflow/test_lens_fits_dag.py."""


def test_each_rule_has_run_and_the_report_is_there(study):
    folder, output = study
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    known = set(re.findall(r"^(?:use rule \w+ as|rule) (\w+)", rules, re.MULTILINE)) - ELSEWHERE
    assert known <= set(re.findall(r"^(\w+) +\d+$", output, re.MULTILINE))
    assert (folder / "results/smoke/report.html").stat().st_size > 1e5
    assert (folder / "results/smoke/real/model_a.csv").exists()


def test_partitions_times_cores_memory_and_gpus_arrive(study):
    _, output = study
    long = "gpu 12:00:00 cpu=1,mem=2006M gres:gpu:1"
    wanted = {"train": 1, "train_clean": 2, "train_labelled": 1, "regress": 1}
    assert {rule: requested(output, rule) for rule in wanted} == {
        rule: number * [long] for rule, number in wanted.items()
    }
    for rule in ("fit_convergence", "estimate"):
        assert requested(output, rule) == ["gpu 01:00:00 cpu=1,mem=2006M gres:gpu:1"]
    assert requested(output, "real") == ["gpu 01:00:00 cpu=1,mem=4000M gres:gpu:1"]
    assert requested(output, "follow_up") == ["cpu 01:00:00 cpu=1,mem=4000M"]
    assert requested(output, "export") == ["cpu 12:00:00 cpu=1,mem=1501M"]


def test_a_group_requests_the_resources_of_one_job_and_the_time_of_all(study):
    _, output = study
    simulations = ["cpu 03:00:00 cpu=1,mem=1501M", "cpu 04:00:00 cpu=1,mem=1501M"]
    assert sorted(requested(output, "shards_simulate")) == simulations
    assert requested(output, "residuals_residual_inputs") == ["gpu 07:00:00 cpu=1,mem=2006M gres:gpu:1"]
    assert requested(output, "scores_score") == 2 * ["gpu 02:00:00 cpu=1,mem=2006M gres:gpu:1"]


def test_jobs_of_seconds_are_not_submitted(study):
    _, output = study
    on_slurm = {
        "shards_simulate",
        "residuals_residual_inputs",
        "scores_score",
        "train",
        "train_clean",
        "train_labelled",
    }
    on_slurm |= {"fit_convergence", "regress", "estimate", "real", "follow_up", "export", "publish"}
    assert set(jobs(output).values()) == on_slurm


def test_logs_arrive(study):
    folder, output = study
    for number in jobs(output):
        assert "1 of 1 steps (100%) done" in log_of(folder, number)
    assert "epoch 1/" in (folder / LOG).read_text()


def test_a_job_that_fails_is_reported_with_its_log(study):
    folder, _ = study
    shard = folder / "results/smoke/shards/model_a/test/cdm/000.h5"
    content = shard.read_bytes()
    shard.write_bytes(content[: len(content) // 2])
    wanted = ["--forcerun", "score", "--", "results/smoke/scores/model_a/dcae.csv"]
    try:
        output = snakemake(folder, *SLURM, *CONFIGS, "--retries", "0", *wanted, fails=True)
    finally:
        shard.write_bytes(content)
    end = output.partition("results/smoke/logs/score/model_a/dcae.log\n  | ")[2]
    assert "test/cdm/000.h5 is damaged" in end


def test_a_job_over_its_memory_gets_more(images, tmp_path):
    """PyTorch alone needs more than 400 MB."""
    folder = another(images[0], tmp_path / "copy", 5)
    rewrite(folder / RESOURCES, "2000 + (4 *", "400 + (4 *")
    output = snakemake(folder, *SLURM, *CONFIGS, "long.yaml", "--", LOSSES)
    assert "SLURM status is: 'FAILED'" in output
    assert "exceeded memory limit" in log_of(folder, next(iter(jobs(output))))
    memory = [re.search(r"mem=(\w+)", job).group(1) for job in requested(output, "train")]
    assert memory == ["406M", "812M", "1624M"][: len(memory)]
    assert len(memory) > 1


def test_a_cancelled_job_and_a_killed_snakemake_resume_from_the_checkpoint(images, tmp_path):
    folder = another(images[0], tmp_path / "copy", 300)
    wanted = [*CONFIGS, "long.yaml"]
    with running(folder, *SLURM, *wanted, "--", LOSSES) as run:
        await_that(lambda: list((folder / DCAE).glob(".*.checkpoint")), "a checkpoint")
        (cancelled,) = numbers(folder)
        assert gpu_of(cancelled) in ("0", "1")
        subprocess.run(["scancel", cancelled], check=True)
        again = await_that(lambda: resumed_at(folder), "a second attempt that resumes")
        os.kill(run.pid, signal.SIGKILL)
    assert "SLURM status is: 'CANCELLED'" in (folder / "output.log").read_text()
    # The job still runs. It has to end before another one writes the same files.
    subprocess.run(["scancel", *numbers(folder)], check=True)
    await_that(lambda: slurm(numbers(folder)[-1])["JobState"] == "CANCELLED", "the end of the job")
    snakemake(folder, "--unlock", *wanted)
    snakemake(folder, *SLURM, *wanted, "--", LOSSES)
    assert resumed_at(folder) >= again
    assert not list((folder / DCAE).glob(".*.checkpoint"))


def test_a_job_over_its_time_gets_more_and_resumes_from_the_checkpoint(hurried):
    folder, end = hurried
    end.result()
    output = (folder / "output.log").read_text()
    assert "SLURM status is: 'TIMEOUT'" in output
    times = [job.split()[1] for job in requested(output, "train")]
    assert times == ["00:01:00", "00:02:00", "00:04:00", "00:08:00", "00:16:00"][: len(times)]
