"""Who may import whom (design: walls), and that fingerprints see all that a rule runs."""

import subprocess
import sys

import pytest

from conftest import ROOT
from oddlens.config import detector_registry
from oddlens.lensing import substructure_classes
from oddlens.provenance.fingerprint import closure, fingerprint, imports

SRC = ROOT / "src" / "oddlens"
FILES = sorted(SRC.rglob("*.py"))


def importers(package):
    return {f.relative_to(SRC).as_posix() for f in FILES if package in {name.split(".")[0] for name in imports(f)}}


def test_only_the_reference_imports_autolens():
    assert importers("autolens") == {"lensing/reference.py"}


def test_nothing_imports_snakemake():
    assert importers("snakemake") == set()


@pytest.mark.parametrize(
    "module",
    [
        "oddlens.training.loop",
        "oddlens.stages.train",
        "oddlens.stages.score",
        "oddlens.statistics.metrics",
        "oddlens.data.splits",
    ]
    + ["oddlens.stages.regress", "oddlens.stages.estimate"]
    + [f"oddlens.detectors.{name}" for name in detector_registry.detectors() if not detector_registry.takes_simulation(name)],
)
def test_what_learns_does_not_know_lenses(module):
    assert not [f for f in closure(module) if "lensing" in f.parts]


def test_the_one_door_is_lensfit_and_it_needs_neither_jax_nor_autolens():
    assert [name for name in detector_registry.detectors() if detector_registry.takes_simulation(name)] == ["lensfit"]
    assert not {SRC / "lensing" / name for name in ("render.py", "reference.py")} & closure("oddlens.detectors.lensfit")
    code = "import sys, oddlens.detectors.lensfit; sys.exit(bool({'autolens', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


@pytest.mark.parametrize(
    "module",
    [
        "oddlens.stages.aggregate",
        "oddlens.stages.figures",
        "oddlens.results.figures.noise",
        "oddlens.results.figures.ranks",
        "oddlens.results.figures.regression",
        "oddlens.stages.paper",
        "oddlens.stages.tabulate",
        "oddlens.stages.report",
        "oddlens.config.study",
        "oddlens.stages.truth",
    ],
)
def test_tables_figures_report_and_settings_start_without_torch(module):
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'autolens', 'jax'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


STAGES = {
    "oddlens.stages.aggregate": [],
    "oddlens.stages.figures": [],
    "oddlens.results.figures.noise": [],
    "oddlens.results.figures.ranks": [],
    "oddlens.results.figures.regression": [],
    "oddlens.stages.regress": [],
    "oddlens.stages.estimate": [],
    "oddlens.stages.tabulate": [],
    "oddlens.stages.truth": [],
    "oddlens.stages.report": [],
    "oddlens.stages.preview": [],
    "oddlens.stages.export": [],
    "oddlens.stages.follow_up": ["oddlens.lensing.substructure.smooth"],
    "oddlens.data.splits": [],
    "oddlens.stages.train": [f"oddlens.detectors.{name}" for name in detector_registry.detectors()],
    "oddlens.stages.score": [f"oddlens.detectors.{name}" for name in detector_registry.detectors()],
    "oddlens.stages.residual_inputs": [f"oddlens.detectors.{name}" for name in detector_registry.detectors()],
    "oddlens.stages.fit_convergence": [],
    "oddlens.stages.publish": [f"oddlens.detectors.{name}" for name in detector_registry.detectors()],
    "oddlens.stages.simulate": [f"oddlens.lensing.substructure.{name}" for name in substructure_classes.names()],
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_fingerprint_sees_every_module_that_is_loaded(stage):
    code = (
        f"import sys, importlib; [importlib.import_module(m) for m in {[stage, *STAGES[stage]]!r}]; "
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.split('.')[0] == 'oddlens'))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", capture_output=True, text=True, check=True)
    loaded = {line for line in run.stdout.splitlines() if line.endswith(".py")}
    assert loaded == {str(f) for f in closure(stage, *STAGES[stage])}


def test_no_fingerprint_sees_what_only_records():
    recording = {SRC / "provenance" / f"{name}.py" for name in ("job", "records", "run", "audit")}
    assert all(path.is_file() for path in recording)
    assert not recording & closure(
        *STAGES, "oddlens.stages.real", *(module for found in STAGES.values() for module in found)
    )


def test_a_job_can_log_and_record_without_torch_and_jax():
    code = "import sys, oddlens.provenance.job; sys.exit(bool({'torch', 'autolens', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "src", check=False).returncode == 0


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


def test_scripts_are_thin():
    for script in (ROOT / "workflow" / "scripts").glob("*.py"):
        assert len(script.read_text().splitlines()) < 45, script
