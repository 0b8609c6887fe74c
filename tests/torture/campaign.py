"""A campaign of faults against the study on 16 x 16 pixels. Are results lost, or wrong files accepted?

    python tests/torture/campaign.py                  all kinds of fault, as `make torture`: about 20 minutes
    python tests/torture/campaign.py killed damaged   some of them

Prints a line for each kind: faults tried, survived and lost. A fault is survived if the study ends byte-equal to an
undisturbed one, or if the damaged file or config is refused with a clear error. `make test` and `make test-slurm`
contain a few faults of each kind.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from artefact_makers import a_checkpoint
from conftest import ROOT
from hostile import damaged, with_errors
from oddlens.files.artefacts import DamagedFile, read_arrays, read_table
from oddlens.files.tensors import read_tensors
from oddlens.provenance.audit import verify
from project import ON_SLURM, delete_all_but_images, environment, fresh_copy

HERE = Path(__file__).parent
CLUSTER = ROOT / "tests/slurm/cluster.sh"
CONFIG = ["--configfile", "tests/config.yaml", "small.yaml"]
RESULTS = Path("results/smoke")
SEED = 20261126
KILLS, ROUND, DAMAGES, CONFIGS, SLURM_FAULTS = 30, 10, 100, 100, 6
KINDS = ["slurm", "killed", "full", "configs", "damaged"]
FULL_KB = [200, 1500, 3000, 6000, 9000]
"""Sizes of a disk that is too small for the study, in increasing order."""


class Tally(NamedTuple):
    """The outcome of the faults of a kind."""

    tried: int
    survived: int
    words: str = ""


def copy(folder: Path) -> Path:
    """A copy of the project with the small study's config."""
    fresh_copy(folder)
    shutil.copy(HERE / "small.yaml", folder)
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """A running Snakemake in a session of its own, after the lock of a killed run is removed."""
    subprocess.run([sys.executable, "workflow/unlock.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with (folder / "output.log").open("a") as output:
        command = ["snakemake", *(arguments or ["--cores", "2"]), *CONFIG]
        return subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def kill(run: subprocess.Popen) -> None:
    """Kill a run and all its jobs at once."""
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def results(folder: Path) -> dict[str, bytes]:
    """The files of a study with its records; not those that hold times: logs, benchmarks, Snakemake's own report."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / RESULTS).rglob("*"))
        if path.is_file() and path.suffix not in (".log", ".tsv") and path.name != "workflow.html"
    }


def faults_in(folder: Path, reference: dict[str, bytes]) -> list[str]:
    """The differences of a finished study from the undisturbed one."""
    found = results(folder)
    names = sorted(found.keys() | reference.keys())
    different = [name for name in names if found.get(name) != reference.get(name)]
    return different + verify([folder / RESULTS])[0][:-1]


# --- kinds of fault ------------------------------------------------------------------------------------------------


def killed(folder: Path, reference: dict[str, bytes], rng: random.Random) -> Tally:
    """Kill run and jobs with -9 at random moments, and restart them until the study ends; repeat from the images."""
    tried, survived, words = 0, 0, ""
    copy(folder)
    while tried < KILLS:
        kills, code = 0, None
        while code is None:
            run = start(folder)
            try:
                code = run.wait(rng.uniform(4, 20) if kills < ROUND and tried + kills < KILLS else None)
            except subprocess.TimeoutExpired:
                kill(run)
                kills += 1
        wrong = [f"exit status {code}"] if code else faults_in(folder, reference)
        tried, survived, words = tried + kills, survived + kills * (not wrong), words or "; ".join(wrong[:3])
        delete_all_but_images(folder)
    return Tally(tried, survived, words)


def _reader(path: Path) -> Callable | None:
    """The function that must refuse a damaged file; None where only the records show the damage."""
    if path.suffix == ".h5":
        return read_arrays
    if path.suffix in (".safetensors", ".checkpoint"):
        return read_tensors
    return read_table if path.suffix == ".csv" and "tables" not in path.parts else None


def damaged_files(folder: Path, rng: random.Random) -> Iterator[tuple[str, Tally]]:
    """Bytes flipped, zeroed, removed or added, a hundred times for each kind: readers refuse, and `verify` reports."""
    a_checkpoint(folder / RESULTS / "models/model_a/dcae/seed-1/.none-0.checkpoint")  # a finished study has none
    kinds: dict[str, list[Path]] = {}
    for path in sorted((folder / RESULTS).rglob("*")):
        if path.is_file() and path.suffix not in (".log", ".tsv") and path.name not in ("workflow.html", "config.yaml"):
            first = path.relative_to(folder / RESULTS).parts[0]
            kind = "checkpoints" if path.suffix == ".checkpoint" else "records" if path.suffix == ".json" else first
            kinds.setdefault(f"{kind} {path.suffix}", []).append(path)
    for kind, paths in kinds.items():
        survived, words = 0, ""
        for batch in range(0, DAMAGES, len(paths)):
            chosen = paths[: DAMAGES - batch]
            contents = {path: path.read_bytes() for path in chosen}
            for path in chosen:
                path.write_bytes(damaged(contents[path], rng))
            problems = "\n".join(verify([folder / RESULTS])[0])
            for path in chosen:
                refused = str(path) in problems and _refused(path)
                survived += refused
                words = words or ("" if refused else f"{path} was accepted")
                path.write_bytes(contents[path])
        yield f"damaged {kind}", Tally(DAMAGES, survived, words)


def _refused(path: Path) -> bool:
    reader = _reader(path)
    if reader is None:
        return True
    try:
        reader(path)
    except DamagedFile as error:
        return str(path) in str(error)
    return False


def configs_with_errors(folder: Path, rng: random.Random) -> Tally:
    """Configs with random errors: Snakemake refuses them with a clear error, or plans them if they are valid."""
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    configs: list[str] = []
    while len(configs) < CONFIGS:
        try:
            configs.append(yaml.safe_dump(with_errors(default, rng), sort_keys=False))
        except (yaml.YAMLError, ValueError, RecursionError):  # YAML cannot represent it
            continue
    with ThreadPoolExecutor(2) as pool:
        problems = [
            problem for problem in pool.map(lambda k: _problem(folder / str(k), configs[k]), range(CONFIGS)) if problem
        ]
    return Tally(CONFIGS, CONFIGS - len(problems), "; ".join(problems[:3]))


def _problem(folder: Path, config: str) -> str:
    """The end of Snakemake's output if it neither plans a config nor refuses it with a clear error; else empty."""
    fresh_copy(folder)
    (folder / "config/config.yaml").write_text(config)
    command = ["snakemake", "-n", "-q"]
    run = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    output = run.stdout + run.stderr
    clear = run.returncode == 0 or ("The config has errors:" in output and "Traceback" not in output)
    shutil.rmtree(folder)
    return "" if clear else f"{output[-300:]} of {config[:300]}"


def full_disk(folder: Path, reference: dict[str, bytes], _: random.Random) -> Tally:
    """Runs on a disk that is full, and larger at each attempt."""
    copy(folder)
    disk = folder / "results"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_KB[0]}k", "oddlens", disk], check=False)
    if mount.returncode:
        return Tally(0, 0, "not tried: mounting a disk needs root")
    try:
        clear = 0
        for size in FULL_KB:
            subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
            (folder / "output.log").unlink(missing_ok=True)
            code, output = start(folder).wait(), (folder / "output.log").read_text()
            clear += code != 0 and "the disk is full" in output
        subprocess.run(["mount", "-o", "remount,size=1g", disk], check=True)
        code = start(folder).wait()
        wrong = [f"exit status {code}"] if code else faults_in(folder, reference)
        return Tally(len(FULL_KB), 0 if wrong else clear, "; ".join(wrong[:3]))
    finally:
        subprocess.run(["umount", disk], check=True)


def on_slurm(folder: Path, reference: dict[str, bytes], rng: random.Random) -> Tally:
    """Jobs cancelled, slurmd and slurmctld killed and restarted, while a study runs on a Slurm of one node."""
    if subprocess.run([CLUSTER, "start"], stdout=subprocess.DEVNULL, check=False).returncode:
        return Tally(0, 0, "not tried: Slurm is not installed")
    try:
        copy(folder)
        run, tried = start(folder, *ON_SLURM, "--retries", "5"), 0
        faults = [cancel, lambda _: crash("slurmd"), lambda _: crash("slurmctld")]
        due = time.time() + rng.uniform(8, 20)
        while (code := run.poll()) is None:
            time.sleep(1)
            subprocess.run([CLUSTER, "mend"], check=False)  # fails while the controller is down
            if tried < SLURM_FAULTS and time.time() > due:
                faults[tried % len(faults)](rng)
                tried, due = tried + 1, time.time() + rng.uniform(8, 20)
        wrong = [f"exit status {code}"] if code else faults_in(folder, reference)
        return Tally(tried, 0 if wrong else tried, "; ".join(wrong[:3]))
    finally:
        subprocess.run([CLUSTER, "stop"], check=True)


def cancel(rng: random.Random) -> None:
    """Cancel a running job."""
    listed = ["squeue", "--noheader", "--states=running", "--format=%A"]
    running = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.split()
    if running:
        subprocess.run(["scancel", rng.choice(running)], check=True)


def crash(daemon: str) -> None:
    """Kill a daemon of Slurm, and restart it a little later."""
    subprocess.run([CLUSTER, "crash", daemon], check=True)


# --- the campaign --------------------------------------------------------------------------------------------------


class Report:
    """Prints one line for each kind of fault, and counts what was lost."""

    def __init__(self) -> None:
        self.lost = 0
        print(f"{'fault':30} {'tried':>5} {'survived':>9} {'lost':>5} {'took':>8}", flush=True)

    def line(self, kind: str, tally: Tally, begin: float) -> None:
        """The line of one kind."""
        self.lost += tally.tried - tally.survived
        counts = f"{tally.tried:5} {tally.survived:9} {tally.tried - tally.survived:5}"
        print(f"{kind:30} {counts} {time.time() - begin:6.0f} s  {tally.words}".rstrip(), flush=True)


def attempt(kind: str, scratch: Path, undisturbed: Path, reference: dict[str, bytes], report: Report) -> None:
    """All faults of one kind, with a random generator of their own."""
    begin, rng, folder = time.time(), random.Random(f"{SEED} {kind}"), scratch / kind
    if kind == "damaged":
        for part, tally in damaged_files(undisturbed, rng):
            report.line(part, tally, begin)
            begin = time.time()
    elif kind == "configs":
        report.line(kind, configs_with_errors(folder, rng), begin)
    else:
        faults = {"slurm": on_slurm, "killed": killed, "full": full_disk}[kind]
        report.line(kind, faults(folder, reference, rng), begin)


def main(kinds: list[str]) -> None:
    """All kinds of fault, or some; exit status 1 if anything was lost."""
    if unknown := set(kinds) - set(KINDS):
        sys.exit(f"unknown kinds of fault: {', '.join(sorted(unknown))}. Known: {', '.join(KINDS)}")
    report = Report()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        undisturbed, begin = copy(Path(scratch, "undisturbed")), time.time()
        if start(undisturbed).wait():
            sys.exit(f"the undisturbed study failed:\n{(undisturbed / 'output.log').read_text()[-3000:]}")
        reference = results(undisturbed)
        report.line("(none: the undisturbed study)", Tally(0, 0), begin)
        chosen = [kind for kind in KINDS if kind in (kinds or KINDS)]
        arguments = Path(scratch), undisturbed, reference, report
        with ThreadPoolExecutor(1) as pool:
            slurm = pool.submit(attempt, chosen.pop(0), *arguments) if "slurm" in chosen else None  # it mostly waits
            for kind in chosen:
                attempt(kind, *arguments)
            if slurm:
                slurm.result()
    sys.exit(report.lost > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
