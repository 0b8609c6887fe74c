"""Imports run one way, and fingerprints cover all that a rule runs."""

import re
import subprocess
import sys

import pytest

from conftest import ROOT
from oddlens.config import detector_registry
from oddlens.lensing import substructure_classes
from oddlens.provenance.fingerprint import closure, code, fingerprint

SRC = ROOT / "src" / "oddlens"
FILES = sorted(SRC.rglob("*.py"))
PACKAGES = ["cli", "stages", "pretrained", "results", "regression", "detectors", "training", "observations", "config"]
PACKAGES += ["lensing", "statistics", "data", "provenance", "files", "schema"]
"""Each imports packages to its right only."""
DETECTORS = [f"oddlens.detectors.{name}" for name in detector_registry.detectors()]
FITTING = [
    f"oddlens.detectors.{name}" for name in detector_registry.detectors() if detector_registry.takes_simulation(name)
]
SUBSTRUCTURES = [f"oddlens.lensing.substructure.{name}" for name in substructure_classes.names()]
IMPORTED_BY_NAME = {
    "simulate": SUBSTRUCTURES,
    "follow_up": SUBSTRUCTURES,
    **dict.fromkeys(["train", "residual_inputs", "score", "score_injected", "publish", "real"], DETECTORS),
}
"""The modules that a stage imports by a name of the config."""
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
STAGES = re.findall(r"^rule (\w+):", RULES, re.MULTILINE)
WITHOUT_TORCH = [
    "split",
    "truth",
    "aggregate",
    "figures",
    "study_figures",
    "tabulate",
    "regression_figures",
    "real_tables",
]
WITHOUT_TORCH += ["report", "retrieve", "camera", "ingest", "leaks", "most_anomalous", "import_scores", "explore"]


def relative(path):
    return path.relative_to(SRC).as_posix()


def importers(package):
    return {relative(path) for path in FILES if package in {name.split(".")[0] for name in code(path).imports}}


def loaded(*modules):
    """The names of all modules that importing some of this project loads."""
    return set(run_python(f"import {', '.join(modules)}, sys; print(*sys.modules, sep='\\n')"))


RECORDED = """
import builtins, importlib, sys

edges, original = set(), builtins.__import__

def recording(name, globals=None, locals=None, fromlist=(), level=0):
    module = original(name, globals, locals, fromlist, level)
    importer = (globals or {}).get("__name__", "")
    if importer.startswith("oddlens."):
        names = [name, *(f"{name}.{part}" for part in fromlist or ())]
        edges.update((importer, imported) for imported in names if imported in sys.modules)
    return module

builtins.__import__ = recording
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*(f"{importer} {imported}" for importer, imported in sorted(edges)), sep="\\n")
"""
"""Imports modules, and prints which module of this project imported which."""


def run_python(code, *arguments):
    """The lines that a program prints."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT / "src", capture_output=True, text=True, check=True).stdout.splitlines()


# --- packages ---------------------------------------------------------------------------------------------------------


def test_the_packages_are_those_of_the_order():
    assert {path.name for path in SRC.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_those_below_it(package):
    allowed = PACKAGES[PACKAGES.index(package) :]
    upward = {
        f"{relative(path)} imports {name}"
        for path in (SRC / package).rglob("*.py")
        for name in code(path).imports
        if name.startswith("oddlens.") and name.split(".")[1] in set(PACKAGES) - set(allowed)
    }
    assert not upward


def test_at_most_sixteen_entries_stand_side_by_side():
    assert len([path for path in SRC.iterdir() if path.name != "__pycache__"]) <= 16


@pytest.mark.parametrize("path", sorted(SRC.glob("*/**/__init__.py")), ids=relative)
def test_packages_have_no_code_of_their_own(path):
    assert not path.read_text()


def test_only_the_reference_imports_autolens():
    assert importers("autolens") == {"lensing/reference.py"}


def test_nothing_imports_snakemake():
    assert importers("snakemake") == set()


@pytest.mark.parametrize(
    "module",
    ["oddlens.training.loop", "oddlens.statistics.metrics", "oddlens.data.splits"]
    + [f"oddlens.stages.{name}" for name in ("train", "score", "regress", "estimate")]
    + sorted(set(DETECTORS) - set(FITTING)),
)
def test_training_does_not_import_lensing(module):
    assert not [path for path in closure(module) if "lensing" in path.parts]


def test_lensfit_alone_imports_lensing_and_neither_jax_nor_autolens():
    assert FITTING == ["oddlens.detectors.lensfit"]
    assert not {SRC / "lensing" / name for name in ("render.py", "reference.py")} & closure(*FITTING)
    assert not {"autolens", "jax"} & loaded(*FITTING)


# --- stages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STAGES)
def test_a_rule_has_a_script_and_a_stage_of_its_name_and_their_fingerprint(name):
    text = re.search(rf"^rule {name}:\n(.*?)(?=^\S|\Z)", RULES, re.MULTILINE | re.DOTALL)[1]
    assert f'"../scripts/{name}.py"' in text
    script = (ROOT / f"workflow/scripts/{name}.py").read_text()
    assert f"from oddlens.stages.{name} import " in script
    source = re.search(r"source=(.*?),\n    \w", text, re.DOTALL)[1]
    assert f'"oddlens.stages.{name}"' in source
    registered = {"detector_module(": DETECTORS, '"oddlens.lensing.substructure.': SUBSTRUCTURES}
    named = [modules for call, modules in registered.items() if call in source]
    assert named == ([IMPORTED_BY_NAME[name]] if name in IMPORTED_BY_NAME else [])


def test_every_script_belongs_to_a_rule_and_is_thin():
    scripts = sorted((ROOT / "workflow/scripts").glob("*.py"))
    assert [path.stem for path in scripts] == sorted(STAGES)
    for script in scripts:
        assert len(script.read_text().splitlines()) < 45, script


def test_a_fingerprint_covers_every_module_that_is_loaded():
    """A closure is read from the source; this is what Python imports."""
    modules = [f"oddlens.stages.{name}" for name in STAGES] + DETECTORS + SUBSTRUCTURES
    edges = [line.split() for line in run_python(RECORDED, *modules)]
    files = {f"oddlens.{relative(path)[:-3].replace('/', '.')}": path for path in FILES}
    missing = [
        f"{importer} loads {imported}"
        for importer, imported in edges
        if imported in files and files[imported] not in closure(importer)
    ]
    assert len(edges) > 300
    assert not missing


def test_tables_figures_and_pages_start_without_torch_and_jax():
    modules = [f"oddlens.stages.{name}" for name in WITHOUT_TORCH] + ["oddlens.config.study", "oddlens.provenance.job"]
    assert not {"torch", "autolens", "jax"} & loaded(*modules)


def test_no_fingerprint_covers_the_modules_that_only_record():
    recording = {SRC / "provenance" / f"{name}.py" for name in ("job", "records", "run", "audit", "unfinished")}
    assert all(path.is_file() for path in recording)
    modules = {module for found in IMPORTED_BY_NAME.values() for module in found}
    assert not recording & closure(*modules, *(f"oddlens.stages.{name}" for name in STAGES))


def test_a_detector_is_in_its_own_fingerprint_only():
    dcae = SRC / "detectors" / "dcae.py"
    assert dcae in closure("oddlens.stages.train", "oddlens.detectors.dcae")
    assert dcae not in closure("oddlens.stages.train", "oddlens.detectors.rbm")
    assert fingerprint("oddlens.stages.train", "oddlens.detectors.dcae") != fingerprint(
        "oddlens.stages.train", "oddlens.detectors.rbm"
    )


def test_config_holds_no_name_that_pyautolens_would_read():
    names = {path.name for path in (ROOT / "config").iterdir()}
    forbidden = {"general.yaml", "logging.yaml", "notation.yaml", "output.yaml", "latent.yaml"}
    assert not names & (forbidden | {"visualize", "priors", "non_linear"})
