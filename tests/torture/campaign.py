"""A campaign of faults against the study on 16 x 16 pixels: is anything lost, is anything wrong accepted?

    python tests/torture/campaign.py                  all kinds of fault: what `make torture` runs, about 20 minutes
    python tests/torture/campaign.py killed damaged   some of them

Prints a line for each kind: faults tried, survived, lost. Survived is a fault after which the study ends byte-equal to
one that was left alone, or a damaged file or config that is refused in plain words. `make test` and `make test-slurm`
have a few faults of each kind.
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
from hostile import damaged, mistaken
from oddlens.files.artefacts import DamagedFile, read_arrays, read_table
from oddlens.files.tensors import read_tensors
from oddlens.provenance.audit import verify
from project import ON_SLURM, environment, forget_all_but_images, fresh_copy

HERE = Path(__file__).parent
CLUSTER = ROOT / "tests/slurm/cluster.sh"
CONFIG = ["--configfile", "tests/config.yaml", "small.yaml"]
RESULTS = Path("results/smoke")
SEED = 20261126
KILLS, ROUND, DAMAGES, CONFIGS, SLURM_FAULTS = 30, 10, 100, 100, 6
KINDS = ["slurm", "killed", "full", "configs", "damaged"]
FULL_KB = [200, 1500, 3000, 6000, 9000]
"""Sizes of a disk on which a study has no room, and then more."""


class Tally(NamedTuple):
    """What became of the faults of a kind."""

    tried: int
    survived: int
    words: str = ""


def copy(folder: Path) -> Path:
    """A copy of the project with the small study's config."""
    fresh_copy(folder)
    shutil.copy(HERE / "small.yaml", folder)
    return folder


def start(folder: Path, *arguments: str) -> subprocess.Popen:
    """Snakemake at work in a session of its own; a dead run's lock is taken away before."""
    subprocess.run([sys.executable, "workflow/unlock.py"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with (folder / "told.log").open("a") as told:
        command = ["snakemake", *(arguments or ["--cores", "2"]), *CONFIG]
        return subprocess.Popen(
            command, cwd=folder, env=environment(), stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )


def kill(run: subprocess.Popen) -> None:
    """End a run and all its jobs at once, with no chance to tidy up."""
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def made(folder: Path) -> dict[str, bytes]:
    """What a study consists of, its records too; logs and Snakemake's own report tell times."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / RESULTS).rglob("*"))
        if path.is_file() and path.suffix != ".log" and path.name != "workflow.html"
    }


def faults_in(folder: Path, reference: dict[str, bytes]) -> list[str]:
    """In what a study that has ended differs from the one that was left alone."""
    found = made(folder)
    names = sorted(found.keys() | reference.keys())
    different = [name for name in names if found.get(name) != reference.get(name)]
    return different + verify([folder / RESULTS])[0][:-1]


# --- kinds of fault ------------------------------------------------------------------------------------------------


def killed(folder: Path, reference: dict[str, bytes], rng: random.Random) -> Tally:
    """Killed with -9 at random moments, all jobs too, and started again until it ends; then anew from the images."""
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
        forget_all_but_images(folder)
    return Tally(tried, survived, words)


def _reader(path: Path) -> Callable | None:
    """What refuses a damaged file by itself; all others are told by their records."""
    if path.suffix == ".h5":
        return read_arrays
    if path.suffix in (".safetensors", ".checkpoint"):
        return read_tensors
    return read_table if path.suffix == ".csv" and "tables" not in path.parts else None


def damaged_files(folder: Path, rng: random.Random) -> Iterator[tuple[str, Tally]]:
    """Bytes flipped, blanked, cut out or added, a hundred times for each kind: refused by readers, told by `verify`."""
    a_checkpoint(folder / RESULTS / "models/model_a/dcae/seed-1/.none-0.checkpoint")  # a study at its end has none
    kinds: dict[str, list[Path]] = {}
    for path in sorted((folder / RESULTS).rglob("*")):
        if path.is_file() and path.suffix != ".log" and path.name not in ("workflow.html", "config.yaml"):
            place = path.relative_to(folder / RESULTS).parts[0]
            kind = "checkpoints" if path.suffix == ".checkpoint" else "records" if path.suffix == ".json" else place
            kinds.setdefault(f"{kind} {path.suffix}", []).append(path)
    for kind, paths in kinds.items():
        survived, words = 0, ""
        for batch in range(0, DAMAGES, len(paths)):
            chosen = paths[: DAMAGES - batch]
            whole = {path: path.read_bytes() for path in chosen}
            for path in chosen:
                path.write_bytes(damaged(whole[path], rng))
            told = "\n".join(verify([folder / RESULTS])[0])
            for path in chosen:
                fine = str(path) in told and _refused(path)
                survived += fine
                words = words or ("" if fine else f"{path} was accepted")
                path.write_bytes(whole[path])
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


def mistaken_configs(folder: Path, rng: random.Random) -> Tally:
    """Configs with mistakes of all sorts: planned if they are none after all, else refused in words, by Snakemake."""
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    written: list[str] = []
    while len(written) < CONFIGS:
        try:
            written.append(yaml.safe_dump(mistaken(default, rng), sort_keys=False))
        except (yaml.YAMLError, ValueError, RecursionError):  # no YAML can say this
            continue
    with ThreadPoolExecutor(2) as pool:
        verdicts = pool.map(lambda k: _verdict(folder / str(k), written[k]), range(CONFIGS))
        words = [told for told in verdicts if told]
    return Tally(CONFIGS, CONFIGS - len(words), "; ".join(words[:3]))


def _verdict(folder: Path, config: str) -> str:
    """What is wrong with what Snakemake says of a config; nothing, if all is well."""
    fresh_copy(folder)
    (folder / "config/config.yaml").write_text(config)
    command = ["snakemake", "-n", "-q"]
    run = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    said = run.stdout + run.stderr
    fine = run.returncode == 0 or ("The config has mistakes:" in said and "Traceback" not in said)
    shutil.rmtree(folder)
    return "" if fine else f"{said[-300:]} of {config[:300]}"


def full_disk(folder: Path, reference: dict[str, bytes], _: random.Random) -> Tally:
    """On a disk that fills up, and has more room at each further try."""
    copy(folder)
    disk = folder / "results"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FULL_KB[0]}k", "oddlens", disk], check=False)
    if mount.returncode:
        return Tally(0, 0, "not tried: mounting a disk takes root")
    try:
        clear = 0
        for size in FULL_KB:
            subprocess.run(["mount", "-o", f"remount,size={size}k", disk], check=True)
            (folder / "told.log").unlink(missing_ok=True)
            code, told = start(folder).wait(), (folder / "told.log").read_text()
            clear += code != 0 and "the disk is full" in told
        subprocess.run(["mount", "-o", "remount,size=1g", disk], check=True)
        code = start(folder).wait()
        wrong = [f"exit status {code}"] if code else faults_in(folder, reference)
        return Tally(len(FULL_KB), 0 if wrong else clear, "; ".join(wrong[:3]))
    finally:
        subprocess.run(["umount", disk], check=True)


def on_slurm(folder: Path, reference: dict[str, bytes], rng: random.Random) -> Tally:
    """Jobs cancelled, slurmd and slurmctld killed and started again while a study runs on a Slurm of one node."""
    if subprocess.run([CLUSTER, "start"], stdout=subprocess.DEVNULL, check=False).returncode:
        return Tally(0, 0, "not tried: there is no Slurm here")
    try:
        copy(folder)
        run, tried = start(folder, *ON_SLURM, "--retries", "5"), 0
        faults = [cancel, lambda _: crash("slurmd"), lambda _: crash("slurmctld")]
        due = time.time() + rng.uniform(8, 20)
        while (code := run.poll()) is None:
            time.sleep(1)
            subprocess.run([CLUSTER, "mend"], check=False)  # the controller may be away
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
    """Kill one of Slurm's daemons, and start it again a little later."""
    subprocess.run([CLUSTER, "crash", daemon], check=True)


# --- the campaign --------------------------------------------------------------------------------------------------


def main(kinds: list[str]) -> None:
    """All faults, or those of some kinds, each with random moments of its own; exit status 1 if anything was lost."""
    if strange := set(kinds) - set(KINDS):
        sys.exit(f"no kind of fault: {', '.join(sorted(strange))}. There are {', '.join(KINDS)}")
    lost = 0

    def told(kind: str, tally: Tally, begin: float) -> None:
        nonlocal lost
        lost += tally.tried - tally.survived
        counts = f"{tally.tried:5} {tally.survived:9} {tally.tried - tally.survived:5}"
        print(f"{kind:30} {counts} {time.time() - begin:6.0f} s  {tally.words}".rstrip(), flush=True)

    print(f"{'fault':30} {'tried':>5} {'survived':>9} {'lost':>5} {'took':>8}", flush=True)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        alone, begin = copy(Path(scratch, "alone")), time.time()
        if start(alone).wait():
            sys.exit(f"the study that was left alone failed:\n{(alone / 'told.log').read_text()[-3000:]}")
        reference = made(alone)
        told("(none: the study left alone)", Tally(0, 0), begin)

        def tried(kind: str) -> None:
            begin, rng, folder = time.time(), random.Random(f"{SEED} {kind}"), Path(scratch, kind)
            if kind == "damaged":
                for part, tally in damaged_files(alone, rng):
                    told(part, tally, begin)
                    begin = time.time()
            elif kind == "configs":
                told(kind, mistaken_configs(folder, rng), begin)
            else:
                told(
                    kind, {"slurm": on_slurm, "killed": killed, "full": full_disk}[kind](folder, reference, rng), begin
                )

        chosen = [kind for kind in KINDS if kind in (kinds or KINDS)]
        with ThreadPoolExecutor(1) as pool:
            beside = pool.submit(tried, chosen.pop(0)) if "slurm" in chosen else None  # it mostly waits
            for kind in chosen:
                tried(kind)
            if beside:
                beside.result()
    sys.exit(lost > 0)


if __name__ == "__main__":
    main(sys.argv[1:])
