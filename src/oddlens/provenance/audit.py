"""Check that the files of a study are still as their jobs wrote them, and describe the job that wrote a file.

    oddlens audit                                        every study in results/
    oddlens audit results/default                        one study
    oddlens audit results/default/tables/auc.csv         one file: the job that wrote it, and what the job read

The files of a study are compared with the records of its jobs (`oddlens.provenance.records`). Files without a record
that git tracks, such as the reference study, are compared with the commit. The files of `oddlens image` and `oddlens
real` have no record; they are only counted.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError, safe_open

from oddlens.provenance import records
from oddlens.provenance.environment import describe_commit, git
from oddlens.provenance.records import Record

WRITTEN_BY_THE_RUN = ("config.yaml", "workflow.html", "logs", "benchmarks")
"""Files and folders of a study that the run itself writes, not one of its jobs."""
FOLDERS_WITHOUT_RECORDS = ("images", "real")
"""Folders of commands that write no record."""
UNFINISHED_SUFFIXES = (".part", ".checkpoint")
"""Hidden files that a running job has, and that remain if it is killed."""

Checksum = Callable[[Path], str | None]


def audit(path: Path | None = None) -> tuple[list[str], bool]:
    """Lines to print about all studies, one study's folder or one file of it, and whether all is as recorded.

    Raises:
        OSError, ValueError: if the path does not exist, or is not inside a study.
    """
    if path and not path.exists():
        raise ValueError(f"{path} does not exist")
    if path and path != study_of(path):
        text, unchanged = describe(path)
        return [text], unchanged
    studies = [path] if path else [p for p in sorted(Path("results").glob("[!.]*")) if p.is_dir()]
    lines, problems = verify(studies)
    return lines, not problems


def study_of(path: Path) -> Path:
    """The folder of the study that a path belongs to: the folder directly inside `results`.

    Raises:
        ValueError: if the path is not inside a study.
    """
    study = next((folder for folder in (path, *path.parents) if folder.parent.name == "results"), None)
    if study is None:
        raise ValueError(f"{path} is not inside a study: give a folder in results/, or a file in such a folder")
    return study


# --- a study ---------------------------------------------------------------------------------------------------------


def verify(studies: list[Path]) -> tuple[list[str], int]:
    """One line for each problem of some studies and a last line with the numbers of files; the number of problems."""
    count: Counter[str] = Counter()
    problems = [problem for study in studies for problem in check(study, count)]
    files = ", ".join(f"{n} files {state}" for state, n in count.items()) or "no files"
    return [*problems, f"{files}; {len(problems) or 'no'} problem{'s' * (len(problems) != 1)}"], len(problems)


def check(study: Path, count: Counter[str]) -> Iterator[str]:
    """One line for each problem of a study: a path, a colon, the kind of problem. `count` counts the other files."""
    root, all_records = study.parents[1], records.read_all(study)
    checksum = cache(records.checksum)
    recorded = {file for record in all_records.values() if record for file in record["outputs"]}
    for path, record in all_records.items():
        if record is None:
            yield f"{path}: damaged; it is not a valid record of a job"
            continue
        yield from _output_problems(root, record, checksum, count)
        yield from _input_problems(root, record, checksum, recorded)
    yield from _unrecorded(study, {root / file for file in recorded}, count)


def _output_problems(root: Path, record: Record, checksum: Checksum, count: Counter[str]) -> Iterator[str]:
    for file, then in record["outputs"].items():
        now = checksum(root / file)
        if now is None:
            yield f"{root / file}: missing; {_job(record)} wrote it"
        elif now != then:
            yield f"{root / file}: altered since {_job(record)} wrote it"
        else:
            count["as recorded"] += 1


def _input_problems(root: Path, record: Record, checksum: Checksum, recorded: set[str]) -> Iterator[str]:
    changed = [file for file, then in record["inputs"].items() if checksum(root / file) != then]
    gone = [file for file in changed if checksum(root / file) is None]
    if lost := [file for file in gone if file not in recorded]:  # the others are missing outputs
        yield f"{root / lost[0]}: missing{_and_more(lost)}; {_job(record)} read it"
    if altered := [file for file in changed if file not in gone]:
        first = next(iter(record["outputs"]))
        yield f"{root / first}: stale; {altered[0]}{_and_more(altered)} changed since {_job(record)} read it"


def _unrecorded(study: Path, recorded: set[Path], count: Counter[str]) -> Iterator[str]:
    """The problems of files that are in no record."""
    root = study.parents[1]
    tracked = _names(root, git(root, "ls-files", "-z", "--", str(study.resolve())))
    altered = _names(root, git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD", "--", str(study.resolve())))
    unknown = []
    for path in _files(study, recorded):
        within = path.relative_to(study).parts[0]
        if path.name.startswith(".") and path.suffix in UNFINISHED_SUFFIXES:
            yield f"{path}: unfinished; its job is running, or was killed and continues when you run it again"
        elif path in tracked - altered:
            count["as committed"] += 1
        elif within in FOLDERS_WITHOUT_RECORDS:
            count["of `oddlens image` or `oddlens real`"] += 1
        elif path not in tracked and within not in WRITTEN_BY_THE_RUN:
            unknown.append(path)
    for path in sorted(altered - recorded):
        yield f"{path}: {'altered since its commit' if path.exists() else 'missing; it was committed'}"
    if unknown and not recorded:
        yield f"{study}: no records ({len(unknown)} files); written by an older version, or copied without its logs"
    else:
        yield from (f"{path}: unrecorded; no job recorded that it wrote this file" for path in unknown)


def _files(folder: Path, recorded: set[Path]) -> Iterator[Path]:
    """All files in a folder that are not `recorded`; an unfinished folder counts as one file."""
    for path in sorted(folder.iterdir()):
        if path in recorded:
            continue
        if path.is_dir() and path.suffix not in UNFINISHED_SUFFIXES:
            yield from _files(path, recorded)
        else:
            yield path


def _names(root: Path, listing: str | None) -> set[Path]:
    return {root / name for name in (listing or "").split("\0") if name}


def _and_more(files: list[str]) -> str:
    return f" and {len(files) - 1} more" if len(files) > 1 else ""


def _job(record: Record) -> str:
    return " ".join(["rule", record["rule"], *(f"{name}={value}" for name, value in record["wildcards"].items())])


# --- one file --------------------------------------------------------------------------------------------------------


def describe(path: Path) -> tuple[str, bool]:
    """The job that wrote a file, as text, and whether the file and the inputs of the job are unchanged since then."""
    study = study_of(path)
    root, name = study.parents[1], path.relative_to(study.parents[1]).as_posix()
    all_records = records.read_all(study).items()
    makers = {place: record for place, record in all_records if record and name in record["outputs"]}
    if not makers:
        commit, unchanged = _describe_committed(root, path)
        return f"{path}: {commit}no record of the job that wrote it" + _describe_model(path), unchanged
    record_path, record = next(iter(makers.items()))
    unchanged = record["outputs"][name] == records.checksum(path)
    inputs = {file: records.checksum(root / file) for file in record["inputs"]}
    seeds = record["seeds"]
    lines = [
        f"{path}: {'as' if unchanged else 'altered since'} {_job(record)} wrote it",
        f"  sha256    {records.checksum(path)}",
        f"  code      commit {describe_commit(record['code'])}; fingerprint {record['code']['source']}",
        f"  versions  {', '.join(f'{name} {number}' for name, number in record['versions'].items())}",
        f"  machine   {records.describe_machine(record['machine'])}",
        f"  seeds     {seeds['master']} (master); trainings {', '.join(map(str, seeds['trainings']))}",
        f"  config    {_describe_config(study, record)} (the whole config is in {record_path})",
        "  settings",
        *(f"    {line}" for line in yaml.safe_dump(record["params"], sort_keys=False, width=110).splitlines()),
        f"  inputs    {len(inputs)} files",
        *(f"    {_state(then, inputs[file])}  {then[:12]}  {file}" for file, then in record["inputs"].items()),
    ]
    return "\n".join(lines) + _describe_model(path), unchanged and inputs == record["inputs"]


def _describe_committed(root: Path, path: Path) -> tuple[str, bool]:
    """The last commit of a file, as text, and whether the file is unchanged since then; empty text if there is none."""
    last = git(root, "log", "-1", "--format=%h of %as", "--", str(path.resolve()))
    if not last:
        return "", False
    unchanged = git(root, "diff", "--quiet", "HEAD", "--", str(path.resolve())) is not None
    return f"{'as' if unchanged else 'not as'} committed in {last.strip()}; ", unchanged


def _state(then: str, now: str | None) -> str:
    return "missing  " if now is None else "unchanged" if now == then else "ALTERED  "


def _describe_config(study: Path, record: Record) -> str:
    path = study / "config.yaml"
    unchanged = path.is_file() and json.loads(json.dumps(yaml.safe_load(path.read_text()))) == record["config"]
    return f"{path}" if unchanged else f"different from the present {path}"


def _describe_model(path: Path) -> str:
    """The header of a model, as text; empty for other files. Its training may have been an earlier job's."""
    try:
        with safe_open(path, framework="numpy") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {})["oddlens"])["about"]
    except (SafetensorError, OSError, KeyError, ValueError):
        return ""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    where = f"at commit {describe_commit(about['code'])}, with {versions}, on {about['device']}"
    return f"\n  trained   {where}, seed {about['seed']}"
