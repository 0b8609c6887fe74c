"""A small study on a real Slurm of one node (cluster.sh): what arrives there, and what becomes of jobs that end early.

Run by `make test-slurm`. Each test has a folder of its own, with the same images, simulated once.
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


def jobs(told: str) -> dict[str, str]:
    """The jobs that Snakemake says it has submitted: Slurm's number to the rule or group in the path of the log."""
    submitted = re.findall(r"submitted with SLURM jobid (\d+) \(log: \S*?/logs/slurm/(?:rule|group)_([^/ ]+)", told)
    return dict(submitted)


def slurm(number: str) -> dict[str, str]:
    """What Slurm knows of a job."""
    shown = subprocess.run(["scontrol", "show", "job", number], check=True, capture_output=True, text=True).stdout
    return dict(re.findall(r"(\w+)=(\S*)", shown))


def asked(told: str, rule: str) -> list[str]:
    """With what the jobs of a rule arrived at Slurm, in their order: partition, time, cores, memory and GPUs."""
    found = [slurm(number) for number, name in jobs(told).items() if name == rule]
    return [
        f"{job['Partition']} {job['TimeLimit']} {job['TRES'].split(',node')[0]} {job.get('TresPerJob', '')}".strip()
        for job in found
    ]


def log_of(folder: Path, number: str) -> str:
    """What Slurm kept of a job."""
    (log,) = (folder / "logs/slurm").glob(f"**/{number}.log")
    return log.read_text()


@contextmanager
def running(folder: Path, *arguments: str):
    """Snakemake at work, which writes to told.log; killed at the end if it is still there."""
    with (folder / "told.log").open("w") as told:
        run = subprocess.Popen(
            ["snakemake", *arguments], cwd=folder, env=environment(), stdout=told, stderr=subprocess.STDOUT
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
    """The first epoch in the log of a training that goes on from a checkpoint; 0 if it began anew, or has not begun."""
    log = folder / LOG
    first = re.search(r"epoch (\d+)/", log.read_text()) if log.exists() else None
    return int(first.group(1)) if first and first.group(1) != "1" else 0


def numbers(folder: Path) -> list[str]:
    """Slurm's numbers of the jobs that Snakemake, at work there, has submitted so far."""
    return list(jobs((folder / "told.log").read_text()))


def gpu_of(number: str) -> str | None:
    """The GPU that a running training sees."""
    listed = subprocess.run(["scontrol", "listpids", number], check=True, capture_output=True, text=True).stdout
    for process in map(psutil.Process, map(int, re.findall(r"^(\d+)", listed, re.MULTILINE))):
        if "train.py" in " ".join(process.cmdline()):
            return process.environ().get("CUDA_VISIBLE_DEVICES")
    return None


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A copy of the project with what trainings begin from, and what Snakemake said of it."""
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
    assert file.read_text().count(old) == 1, f"'{old}' is not what {file.name} says any more"
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture(scope="module")
def hurried(images, tmp_path_factory):
    """Where a training gets a minute and needs hours, begun at once; and its end, once it went on from a checkpoint.

    It sleeps most of the time, as others want its core.
    """
    folder = another(images[0], tmp_path_factory.mktemp("slurm") / "hurried", 100_000)
    rewrite(folder / RESOURCES, "doubled(720,", "doubled(1,")
    saved = "write_tensors(self.path, tensors, header)"
    rewrite(folder / "src/oddlens/checkpoints.py", saved, f"{saved}; time.sleep(5)")

    def until_resumed():
        try:
            await_that(lambda: resumed_at(folder), "a training that goes on", 1200)
        finally:
            run.kill()
            subprocess.run(["scancel", *numbers(folder)], check=True)

    wanted = [*SLURM, "--retries", "4", *CONFIGS, "long.yaml", "--", LOSSES]
    with running(folder, *wanted) as run, ThreadPoolExecutor(1) as pool:
        yield folder, pool.submit(until_resumed)


@pytest.fixture(scope="module")
def study(images, hurried):
    """The copy in which the whole study has run, and what Snakemake said."""
    folder, told = images
    return folder, told + snakemake(folder, *SLURM, *CONFIGS, "--", "all", "results/smoke/export/model_a")


def test_each_rule_has_run_and_the_report_is_there(study):
    folder, told = study
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    known = re.findall(r"^(?:use rule \w+ as|rule) (\w+)", rules, re.MULTILINE)
    assert set(known) <= set(re.findall(r"^(\w+) +\d+$", told, re.MULTILINE))
    assert (folder / "results/smoke/report.html").stat().st_size > 1e5
    assert (folder / "results/smoke/real/model_a.csv").exists()


def test_partitions_times_cores_memory_and_gpus_arrive(study):
    _, told = study
    long = "gpu 12:00:00 cpu=1,mem=2006M gres:gpu:1"
    wanted = {"train": 1, "train_clean": 2, "train_labelled": 1, "regress": 1}
    assert {rule: asked(told, rule) for rule in wanted} == {rule: number * [long] for rule, number in wanted.items()}
    for rule in ("fit_convergence", "estimate"):
        assert asked(told, rule) == ["gpu 01:00:00 cpu=1,mem=2006M gres:gpu:1"]
    assert asked(told, "real") == ["gpu 01:00:00 cpu=1,mem=4000M gres:gpu:1"]
    assert asked(told, "follow") == ["cpu 01:00:00 cpu=1,mem=4000M"]
    assert asked(told, "export") == ["cpu 12:00:00 cpu=1,mem=1501M"]


def test_a_group_asks_for_what_one_of_its_jobs_needs_and_the_time_of_all(study):
    _, told = study
    simulations = ["cpu 03:00:00 cpu=1,mem=1501M", "cpu 04:00:00 cpu=1,mem=1501M"]
    assert sorted(asked(told, "shards_simulate")) == simulations
    assert asked(told, "explained_explain") == ["gpu 07:00:00 cpu=1,mem=2006M gres:gpu:1"]
    assert asked(told, "scores_score") == 2 * ["gpu 02:00:00 cpu=1,mem=2006M gres:gpu:1"]


def test_what_takes_seconds_stays_with_snakemake(study):
    _, told = study
    on_slurm = {"shards_simulate", "explained_explain", "scores_score", "train", "train_clean", "train_labelled"}
    assert set(jobs(told).values()) == on_slurm | {
        "fit_convergence",
        "regress",
        "estimate",
        "real",
        "follow",
        "export",
        "publish",
    }


def test_logs_land(study):
    folder, told = study
    for number in jobs(told):
        assert "1 of 1 steps (100%) done" in log_of(folder, number)
    assert "epoch 1/" in (folder / LOG).read_text()


def test_a_job_that_fails_is_reported_with_its_log(study):
    folder, _ = study
    shard = folder / "results/smoke/shards/model_a/test/cdm/000.h5"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    wanted = ["--forcerun", "score", "--", "results/smoke/scores/model_a/dcae.csv"]
    try:
        told = snakemake(folder, *SLURM, *CONFIGS, "--retries", "0", *wanted, fails=True)
    finally:
        shard.write_bytes(whole)
    shown = told.partition("Logfile results/smoke/logs/score/model_a/dcae.log:")[2]
    assert "test/cdm/000.h5 is damaged" in shown


def test_a_job_over_its_memory_gets_more(images, tmp_path):
    """PyTorch alone takes more than 400 MB."""
    folder = another(images[0], tmp_path / "copy", 5)
    rewrite(folder / RESOURCES, "2000 + (4 *", "400 + (4 *")
    told = snakemake(folder, *SLURM, *CONFIGS, "long.yaml", "--", LOSSES)
    assert "SLURM status is: 'FAILED'" in told
    assert "exceeded memory limit" in log_of(folder, next(iter(jobs(told))))
    memory = [re.search(r"mem=(\w+)", job).group(1) for job in asked(told, "train")]
    assert memory == ["406M", "812M", "1624M"][: len(memory)]
    assert len(memory) > 1


def test_a_cancelled_job_and_a_killed_snakemake_go_on_from_the_checkpoint(images, tmp_path):
    folder = another(images[0], tmp_path / "copy", 300)
    wanted = [*CONFIGS, "long.yaml"]
    with running(folder, *SLURM, *wanted, "--", LOSSES) as run:
        await_that(lambda: list((folder / DCAE).glob(".*.checkpoint")), "a checkpoint")
        (cancelled,) = numbers(folder)
        assert gpu_of(cancelled) in ("0", "1")
        subprocess.run(["scancel", cancelled], check=True)
        again = await_that(lambda: resumed_at(folder), "a second try that goes on")
        os.kill(run.pid, signal.SIGKILL)
    assert "SLURM status is: 'CANCELLED'" in (folder / "told.log").read_text()
    # The job does not know that nobody waits for it: it has to end before another writes the same files.
    subprocess.run(["scancel", *numbers(folder)], check=True)
    await_that(lambda: slurm(numbers(folder)[-1])["JobState"] == "CANCELLED", "the end of the job")
    snakemake(folder, "--unlock", *wanted)
    snakemake(folder, *SLURM, *wanted, "--", LOSSES)
    assert resumed_at(folder) >= again
    assert not list((folder / DCAE).glob(".*.checkpoint"))


def test_a_job_over_its_time_gets_more_and_goes_on_from_the_checkpoint(hurried):
    folder, end = hurried
    end.result()
    told = (folder / "told.log").read_text()
    assert "SLURM status is: 'TIMEOUT'" in told
    times = [job.split()[1] for job in asked(told, "train")]
    assert times == ["00:01:00", "00:02:00", "00:04:00", "00:08:00", "00:16:00"][: len(times)]
