"""Records of jobs: a JSON file beside the log of each job that succeeded.

rule, wildcards     identify the job
params              the settings of the job
config              the whole config of the run
seeds               `master`, and the seeds of the `trainings` that the job used
code                `commit`, `dirty`, and the fingerprint of the `source` that the job ran
versions, machine   versions of the main packages that were loaded; processor and GPU
inputs, outputs     SHA-256 of each file by its path, which is relative to the folder that holds `results`
sha256              checksum of all of the above
"""

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from oddlens.files.artefacts import atomic_write
from oddlens.provenance.environment import code_version, describe_commit, processor

RECORDED_PACKAGES = ["astropy", "autolens", "h5py", "jax", "matplotlib", "nautilus", "numpy", "pandas", "pyod"]
RECORDED_PACKAGES += ["scikit_posthocs", "scipy", "sklearn", "snakemake", "statsmodels", "torch", "torchvision", "zuko"]
"""The packages whose versions can influence results, by the names under which they are imported."""

Record = dict[str, Any]
KEYS = {"rule", "wildcards", "params", "config", "seeds", "code", "versions", "machine", "inputs", "outputs"}


def checksum(path: Path | str) -> str | None:
    """SHA-256 of a file's content; of a folder, the SHA-256 of the paths and checksums of its visible files.

    None if there is no such file or folder.
    """
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return None
    inside = sorted(file for file in path.rglob("[!.]*") if file.is_file())
    lines = [f"{checksum(file)}  {file.relative_to(path).as_posix()}\n" for file in inside]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def this_process() -> dict[str, Any]:
    """The `code`, `versions` and `machine` of this process."""
    loaded = {name: str(sys.modules[name].__version__) for name in RECORDED_PACKAGES if name in sys.modules}
    return {
        "code": code_version(),
        "versions": {"python": platform.python_version(), **loaded},
        "machine": {"processor": processor(), "gpu": _gpu()},
    }


def _gpu() -> str | None:
    """The GPU that PyTorch or JAX uses, if one of them is loaded."""
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax")
    if torch and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    devices = jax.devices() if jax else []
    return next((device.device_kind for device in devices if device.platform != "cpu"), None)


def path_for(log: Path | str) -> Path:
    """The path of the record of the job with this log."""
    return Path(log).with_suffix(".json")


def write(path: Path, record: Record) -> None:
    """Write a record."""
    with atomic_write(path) as temporary:
        temporary.write_text(_text(record))


def _text(record: Record) -> str:
    """A record with its checksum, as JSON."""
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


def read_all(study: Path | str) -> dict[Path, Record | None]:
    """All records of a study by their paths; None for a damaged one."""
    return {path: read(path) for path in sorted(Path(study, "logs").rglob("*.json"))}


def upstream(paths: Iterable[str], study: Path | str) -> list[Record]:
    """The records of all jobs of a study that contributed to some files, directly or not; each record once."""
    makers = {output: record for record in read_all(study).values() if record for output in record["outputs"]}
    found: dict[int, Record] = {}
    pending = list(paths)
    while pending:
        record = makers.get(pending.pop())
        if record and id(record) not in found:
            found[id(record)] = record
            pending += record["inputs"]
    return list(found.values())


def summarise(records: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """The distinct `commits`, `versions` and `machines` of several records, as text."""
    found: dict[str, set[str]] = {"commits": set(), "versions": set(), "machines": set()}
    for record in records:
        found["commits"].add(describe_commit(record["code"]))
        found["versions"] |= {f"{name} {number}" for name, number in record["versions"].items()}
        found["machines"].add(describe_machine(record["machine"]))
    return {name: sorted(texts) for name, texts in found.items()}


def describe_machine(machine: Mapping[str, Any]) -> str:
    """The processor and the GPU of a record, as text."""
    return machine["processor"] + (f", {machine['gpu']}" if machine["gpu"] else "")
