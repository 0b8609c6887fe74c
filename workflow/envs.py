"""Write envs/*.yaml: `make envs`, after a change of requirements.lock or of what scripts import.

conda-forge provides Python and pip. pip installs everything else in the versions of the lock, so that `--use-conda`
runs jobs with the packages of `.venv`. An environment holds what the scripts of its rules import, and the dependencies
of that.
"""

import re
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "src"))

from oddlens.lensing import substructure_classes  # noqa: E402
from oddlens.provenance.fingerprint import closure, code  # noqa: E402

PIP = "25.3"
HEADER = "# Written by `make envs` from requirements.lock: the packages that the scripts of some rules need.\n"
ENTRY = re.compile(r"^([\w.-]+)==(\S+)(?: ; ([^\\\n]+?))? \\\n((?: .*\n?)*)", re.MULTILINE)
IMPORTED_BY_NAME = {
    "simulate": [f"oddlens.lensing.substructure.{name}" for name in substructure_classes.names()],
    "train": [f"oddlens.detectors.{path.stem}" for path in sorted((ROOT / "src/oddlens/detectors").glob("[!_]*.py"))],
    "analyse": [],
}
"""The modules that the config names, by environment."""


class Locked(NamedTuple):
    """One entry of the lock. A package has several if its version depends on the platform."""

    name: str
    version: str
    marker: str
    """Where it is installed (PEP 508); everywhere if empty."""
    needed_by: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


def read_lock(path: Path) -> list[Locked]:
    """The entries of a lock that `uv pip compile` wrote."""
    return [
        Locked(name, version, marker, frozenset(re.findall(r"^ +#(?: via| {2}) +([\w.-]+)", below, re.MULTILINE)))
        for name, version, marker, below in ENTRY.findall(path.read_text())
    ]


def with_dependencies(names: Iterable[str], lock: Sequence[Locked]) -> list[Locked]:
    """The entries of some packages and of all that they depend on."""
    found: set[str] = set()
    new = set(names)
    while new:
        found |= new
        new = {entry.name for entry in lock if entry.needed_by & new} - found
    return [entry for entry in lock if entry.name in found]


def scripts(environment: str) -> list[Path]:
    """The scripts of all rules that name an environment."""
    rules = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
    pattern = rf'conda:\s+"\.\./\.\./envs/{environment}\.yaml".*?script:\s+"\.\./(scripts/\w+\.py)"'
    return [ROOT / "workflow" / script for script in re.findall(pattern, rules, re.DOTALL)]


def imported_packages(environment: str) -> set[str]:
    """The packages that scripts of an environment import, directly or through this project, as the lock names them."""
    modules = [name for script in scripts(environment) for name in code(script).imports]
    files = closure(*modules, *IMPORTED_BY_NAME[environment])
    roots = {name.split(".")[0] for file in files for name in code(file).imports}
    roots -= {"oddlens", *sys.stdlib_module_names}
    distributions = packages_distributions()
    return {re.sub(r"[-_.]+", "-", distributions[root][0]).lower() for root in roots}


def conda_file(environment: str) -> str:
    """The content of envs/<environment>.yaml."""
    lock = read_lock(ROOT / "requirements.lock")
    python = (ROOT / ".python-version").read_text().strip()
    pip = [str(entry) for entry in with_dependencies(imported_packages(environment), lock)]
    content = {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [f"python={python}", f"pip=={PIP}", {"pip": pip}],
    }
    return HEADER + yaml.safe_dump(content, sort_keys=False, width=1000)


if __name__ == "__main__":
    for environment in IMPORTED_BY_NAME:
        (ROOT / f"envs/{environment}.yaml").write_text(conda_file(environment))
