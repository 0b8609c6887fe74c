"""What made a file: a record beside the log of each job that succeeded, as JSON.

rule, wildcards     which job
params              the settings that it was given
config              the whole config of the run
seeds               `master`, and those of the `trainings` that had a part in it
code                `commit`, `dirty`, and the fingerprint of the `source` that it ran
versions, machine   of the main packages that it loaded; processor and GPU
inputs, outputs     SHA-256 of the files by their paths, which are relative to the folder above `results`
sha256              of all that
"""

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oddlens.files.artefacts import replacing
from oddlens.provenance.environment import code, commit_in_words, processor

MAIN = ["astropy", "autolens", "h5py", "jax", "matplotlib", "nautilus", "numpy", "pandas", "pyod", "scikit_posthocs"]
MAIN += ["scipy", "sklearn", "snakemake", "statsmodels", "torch", "torchvision"]
"""The packages whose version may matter, by the names under which they are imported."""

Record = dict[str, Any]
KEYS = {"rule", "wildcards", "params", "config", "seeds", "code", "versions", "machine", "inputs", "outputs"}


def checksum(path: Path | str) -> str | None:
    """SHA-256 of a file's bytes; of a folder's paths and their checksums, hidden ones left out; None of nothing."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return None
    inside = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    lines = [f"{checksum(file)}  {file.relative_to(path).as_posix()}\n" for file in inside]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def here() -> dict[str, Any]:
    """Code, versions and machine of this process."""
    loaded = {name: str(sys.modules[name].__version__) for name in MAIN if name in sys.modules}
    return {
        "code": code(),
        "versions": {"python": platform.python_version(), **loaded},
        "machine": {"processor": processor(), "gpu": _gpu()},
    }


def _gpu() -> str | None:
    """The GPU that PyTorch or JAX has, if one of them is loaded."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    devices = jax.devices() if jax else []
    return next((device.device_kind for device in devices if device.platform != "cpu"), None)


def place(log: Path | str) -> Path:
    """Where the record of the job with this log is."""
    return Path(log).with_suffix(".json")


def write(path: Path, record: Record) -> None:
    """Write a record."""
    with replacing(path) as temporary:
        temporary.write_text(_text(record))


def _text(record: Record) -> str:
    """A record as it is written, with a checksum of all else."""
    body = json.dumps(record, indent=1, default=str)
    return json.dumps({**record, "sha256": hashlib.sha256(body.encode()).hexdigest()}, indent=1, default=str) + "\n"


def read(path: Path | str) -> Record | None:
    """Read a record; None if it is damaged."""
    try:
        text = Path(path).read_text()
        record = json.loads(text)
        record.pop("sha256")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    return record if record.keys() == KEYS and _text(record) == text else None


def of(study: Path | str) -> dict[Path, Record | None]:
    """All records of a study, by their paths; None where one is damaged."""
    return {path: read(path) for path in sorted(Path(study, "logs").rglob("*.json"))}


def behind(paths: Iterable[str], study: Path | str) -> list[Record]:
    """The records of all jobs of a study that had a part in some files, each once."""
    makers = {made: record for record in of(study).values() if record for made in record["outputs"]}
    found: dict[int, Record] = {}
    todo = list(paths)
    while todo:
        record = makers.get(todo.pop())
        if record and id(record) not in found:
            found[id(record)] = record
            todo += record["inputs"]
    return list(found.values())


def together(records: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """What several jobs ran, each thing once, in words: `commits`, `versions`, `machines`."""
    found: dict[str, set[str]] = {"commits": set(), "versions": set(), "machines": set()}
    for record in records:
        found["commits"].add(commit_in_words(record["code"]))
        found["versions"] |= {f"{name} {number}" for name, number in record["versions"].items()}
        found["machines"].add(machine(record["machine"]))
    return {name: sorted(words) for name, words in found.items()}


def machine(made: Mapping[str, Any]) -> str:
    """A machine in words."""
    return made["processor"] + (f", {made['gpu']}" if made["gpu"] else "")
