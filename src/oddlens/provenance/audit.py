"""Whether the files of studies are still those that their jobs made, and what made one of them.

    oddlens audit                                        every study under results/
    oddlens audit results/default                        one study
    oddlens audit results/default/tables/auc.csv         what made it, of what

A study is held against the records of its jobs (`oddlens.provenance.records`). Files without one that git tracks, as
those of the
reference study, are held against the commit; those of `oddlens image` and `oddlens real` are counted only.
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
from oddlens.provenance.environment import commit_in_words, git
from oddlens.provenance.records import Record

RUN = ("config.yaml", "workflow.html", "logs")
"""What a run writes itself; no job makes it."""
BY_HAND = ("images", "real")
"""Folders of commands that leave no record."""
UNFINISHED = (".part", ".checkpoint")
"""Hidden files that a job at work has, and leaves behind if it is killed."""

Checksum = Callable[[Path], str | None]


def check(study: Path, count: Counter[str]) -> Iterator[str]:
    """One line for each problem of a study; `count` is told how many files are as what says."""
    root, known = study.parents[1], records.of(study)
    checksum = cache(records.checksum)
    made = {file for record in known.values() if record for file in record["outputs"]}
    for path, record in known.items():
        if record is None:
            yield f"{path}: damaged; it is no record of a job any more"
            continue
        yield from _outputs(root, record, checksum, count)
        yield from _inputs(root, record, checksum, made)
    yield from _others(study, {root / file for file in made}, count)


def _outputs(root: Path, record: Record, checksum: Checksum, count: Counter[str]) -> Iterator[str]:
    for file, then in record["outputs"].items():
        now = checksum(root / file)
        if now is None:
            yield f"{root / file}: missing; {_job(record)} made it"
        elif now != then:
            yield f"{root / file}: altered since {_job(record)} made it"
        else:
            count["as recorded"] += 1


def _inputs(root: Path, record: Record, checksum: Checksum, made: set[str]) -> Iterator[str]:
    changed = [file for file, then in record["inputs"].items() if checksum(root / file) != then]
    gone = [file for file in changed if checksum(root / file) is None]
    if lost := [file for file in gone if file not in made]:  # the others are missing outputs
        yield f"{root / lost[0]}: missing{_and_more(lost)}; {_job(record)} read it"
    if altered := [file for file in changed if file not in gone]:
        first = next(iter(record["outputs"]))
        yield f"{root / first}: stale; {altered[0]}{_and_more(altered)} is not what {_job(record)} read"


def _others(study: Path, made: set[Path], count: Counter[str]) -> Iterator[str]:
    """The files that no record speaks of."""
    root = study.parents[1]
    tracked = _names(root, git(root, "ls-files", "-z", "--", str(study.resolve())))
    altered = _names(root, git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD", "--", str(study.resolve())))
    strange = []
    for path in _files(study, made):
        within = path.relative_to(study).parts[0]
        if path.name.startswith(".") and path.suffix in UNFINISHED:
            yield f"{path}: half written; a job is at work, or was killed and goes on when you run it again"
        elif path in tracked - altered:
            count["as committed"] += 1
        elif within in BY_HAND:
            count["by hand"] += 1
        elif path not in tracked and within not in RUN:
            strange.append(path)
    for path in sorted(altered - made):
        yield f"{path}: {'not as it was committed' if path.exists() else 'missing; it was committed'}"
    if strange and not made:
        yield f"{study}: no records ({len(strange)} files); made by an older version, or copied without its logs"
    else:
        yield from (f"{path}: no record says what made it" for path in strange)


def _files(folder: Path, made: set[Path]) -> Iterator[Path]:
    """All files in a folder, except what was `made`; a half-written folder counts as one."""
    for path in sorted(folder.iterdir()):
        if path in made:
            continue
        if path.is_dir() and path.suffix not in UNFINISHED:
            yield from _files(path, made)
        else:
            yield path


def _names(root: Path, listed: str | None) -> set[Path]:
    return {root / name for name in (listed or "").split("\0") if name}


def _and_more(files: list[str]) -> str:
    return f" and {len(files) - 1} more" if len(files) > 1 else ""


def _job(record: Record) -> str:
    return " ".join(["rule", record["rule"], *(f"{name}={value}" for name, value in record["wildcards"].items())])


# --- one file --------------------------------------------------------------------------------------------------------


def told(path: Path) -> tuple[str, bool]:
    """What made a file, for a person, and whether it and what it was made of are still the same."""
    study = study_of(path)
    root, name = study.parents[1], path.relative_to(study.parents[1]).as_posix()
    known = {place: record for place, record in records.of(study).items() if record and name in record["outputs"]}
    if not known:
        words, same = _committed(root, path)
        return f"{path}: {words}no record says what made it" + _own_words(path), same
    place, record = next(iter(known.items()))
    same = record["outputs"][name] == records.checksum(path)
    inputs = {file: records.checksum(root / file) for file in record["inputs"]}
    seeds = record["seeds"]
    lines = [
        f"{path}: {'as' if same else 'altered since'} {_job(record)} made it",
        f"  sha256    {records.checksum(path)}",
        f"  code      commit {commit_in_words(record['code'])}; fingerprint {record['code']['source']}",
        f"  versions  {', '.join(f'{name} {number}' for name, number in record['versions'].items())}",
        f"  machine   {records.machine(record['machine'])}",
        f"  seeds     {seeds['master']} (master); trainings {', '.join(map(str, seeds['trainings']))}",
        f"  config    {_config(study, record)} (all of it in {place})",
        "  settings",
        *(f"    {line}" for line in yaml.safe_dump(record["params"], sort_keys=False, width=110).splitlines()),
        f"  made of   {len(inputs)} files",
        *(f"    {_since(then, inputs[file])}  {then[:12]}  {file}" for file, then in record["inputs"].items()),
    ]
    return "\n".join(lines) + _own_words(path), same and inputs == record["inputs"]


def _committed(root: Path, path: Path) -> tuple[str, bool]:
    """The commit that a file is of, in words, and whether it is still as it was there."""
    last = git(root, "log", "-1", "--format=%h of %as", "--", str(path.resolve()))
    if not last:
        return "", False
    same = git(root, "diff", "--quiet", "HEAD", "--", str(path.resolve())) is not None
    return f"{'as' if same else 'not as'} committed in {last.strip()}; ", same


def _since(then: str, now: str | None) -> str:
    return "missing" if now is None else "as then" if now == then else "ALTERED"


def _config(study: Path, record: Record) -> str:
    path = study / "config.yaml"
    same = path.is_file() and json.loads(json.dumps(yaml.safe_load(path.read_text()))) == record["config"]
    return f"{path}" if same else f"another than {path} is now"


def _own_words(path: Path) -> str:
    """What a model says of itself: a job keeps finished models, which an earlier one may have trained."""
    try:
        with safe_open(path, framework="numpy") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {})["oddlens"])["about"]
    except (SafetensorError, OSError, KeyError, ValueError):
        return ""
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    where = f"at commit {commit_in_words(about['code'])}, by {versions}, on {about['device']}"
    return f"\n  trained   {where}, seed {about['seed']}"


# --- the command line ------------------------------------------------------------------------------------------------


def study_of(path: Path) -> Path:
    """The folder of the study that a path is in: the one below `results`.

    Raises:
        ValueError: if it is in none.
    """
    places = [path, *path.parents]
    found = next((place for place in places if place.parent.name == "results"), None)
    if found is None:
        raise ValueError(f"{path} is in no study: name a folder below results/, or a file in one")
    return found


def verify(studies: list[Path]) -> tuple[list[str], int]:
    """A line for each problem of some studies and one that counts files, and the number of problems."""
    count: Counter[str] = Counter()
    problems = [problem for study in studies for problem in check(study, count)]
    files = ", ".join(f"{n} files {how}" for how, n in count.items()) or "no files"
    return [*problems, f"{files}; {len(problems) or 'no'} problem{'s' * (len(problems) != 1)}"], len(problems)


def audit(path: Path | None = None) -> tuple[list[str], bool]:
    """Lines to print about a study, one file of it or (by default) all studies, and whether everything is as recorded.

    Raises:
        OSError, ValueError: if there is no such file, or it is in no study.
    """
    if path and not path.exists():
        raise ValueError(f"there is no {path}")
    if path and path != study_of(path):
        text, same = told(path)
        return [text], same
    studies = [path] if path else [p for p in sorted(Path("results").glob("[!.]*")) if p.is_dir()]
    lines, problems = verify(studies)
    return lines, not problems
