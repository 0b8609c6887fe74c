"""The site builds without warnings or network, leads nowhere that is not there, has every module and every key."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Literal, get_args, get_origin

import pytest
import yaml
from bs4 import BeautifulSoup

from conftest import ROOT
from oddlens.config import detector_registry
from oddlens.config.dataset import Dataset, ImageCounts
from oddlens.config.external_row import ExternalRow
from oddlens.config.merging import laid_over
from oddlens.config.presets import preset_names
from oddlens.config.regression import Regression
from oddlens.config.study import Study, parse_study
from oddlens.config.training import Training
from oddlens.lensing import substructure_classes
from oddlens.schema.priors import Distribution
from oddlens.schema.section import Section

SRC = ROOT / "src"
CONFIG = (ROOT / "config/README.md").read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The pages of the site, parsed, by their paths."""
    folder = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-d", str(folder / "trees")]
    built = subprocess.run(
        [*command, ".", str(folder / "site")],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout[-4000:]
    pages = [path for path in (folder / "site").rglob("*.html") if "_downloads" not in path.parts]
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in pages}


def addresses(page, *tags):
    return [tag.get("href") or tag.get("src") for tag in page.find_all(tags) if tag.get("href") or tag.get("src")]


def test_every_page_and_picture_that_is_linked_to_exists(site):
    for path, page in site.items():
        for address in addresses(page, "a", "img", "link", "script"):
            place = address.split("#")[0].split("?")[0]
            if place and not re.match(r"\w+:", place):
                assert (path.parent / place).exists(), f"{path.name} leads to {address}"


def test_no_page_takes_anything_from_the_network(site):
    for path, page in site.items():
        for address in addresses(page, "img", "link", "script"):
            assert not re.match(r"(https?:)?//", address), f"{path.name} takes {address}"
    styles = next(iter(site)).parents[0].rglob("*.css")
    assert not [path for path in styles if re.search(r"url\(\W?(https?:)?//|@import", path.read_text())]


def test_every_page_of_the_repository_is_on_the_site(site):
    pages = {path.with_suffix("").as_posix() for path in site}
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "config/README.md"]:
        assert any(page.endswith(path.relative_to(ROOT).with_suffix("").as_posix()) for page in pages), path


def public(path):
    """The names of what a module defines for others, and documents."""
    nodes = ast.parse(path.read_text()).body
    defined = (node for node in nodes if isinstance(node, ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node))
    return {node.name for node in defined if not node.name.startswith("_")}


def test_every_module_and_its_public_names_are_on_the_pages_of_the_api(site):
    shown = {tag["id"] for path, page in site.items() if path.parent.name == "api" for tag in page.find_all(id=True)}
    for path in sorted(
        {*SRC.rglob("*.py")} - {*SRC.rglob("__main__.py")}
    ):  # a command, which docs/pretrained.md explains
        module = ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")
        assert {f"module-{module}", *(f"{module}.{name}" for name in public(path))} <= shown


# --- the page of the config ------------------------------------------------------------------------------------------


def documented():
    """The keys in the first columns of the page's tables: `a.b`, `.c` are a.b and a.c."""
    found = set()
    for cell in re.findall(r"^\| (`[^|]*) \|", CONFIG, re.MULTILINE):
        stem = ""
        for key in re.findall(r"`([^`]+)`", cell):
            if key.startswith("."):
                key = stem + key
            else:
                stem = key.rpartition(".")[0]
            found.add(key)
    return found


def section_of(annotation):
    """The section that a field holds, if it does."""
    if get_origin(annotation) is dict:
        return None
    kinds = [kind for kind in (annotation, *get_args(annotation)) if isinstance(kind, type)]
    return next((kind for kind in kinds if issubclass(kind, Section) and kind is not Distribution), None)


def keys(section, above=""):
    """All keys of a section and those below; what maps names to sections is not followed."""
    for name, field in section.model_fields.items():
        below = section_of(field.annotation)
        if below:
            yield from keys(below, f"{above}{name}.")
        else:
            yield above + name


def wanted():
    yield from (key for key in Study.model_fields if key not in ("datasets", "detectors", "external", "real"))
    yield from ExternalRow.model_fields
    yield from ("datasets.<name>", "detectors.<row>", "real.<name>", "preset")
    yield from (f"images.{key}" for key in keys(ImageCounts))
    yield from Training.model_fields
    yield from (key for key in keys(Dataset) if not key.startswith(("images.", "substructure", "lens.light.")))
    yield from ("lens.light.*", "lens.light.subtraction.intensity_ratio", "lens.light.subtraction.radius_ratio")
    for name in substructure_classes.names()[1:]:
        for key in keys(substructure_classes.module(name).Priors):
            above, shared, below = key.partition("truncated_nfw.")
            yield shared + below if shared else f"substructure.{name}.{above}"


def test_every_key_is_on_the_page_of_the_config():
    found = documented()
    assert not {key for key in wanted() if key not in found and not any(other.startswith(f"{key}.") for other in found)}


def table_below(heading):
    """The rows below a heading: for each key its default as written, and its row."""
    section = re.search(rf"^{re.escape(heading)}$(.*?)(?=^##|\Z)", CONFIG, re.MULTILINE | re.DOTALL).group(1)
    for names, meaning, defaults, values in re.findall(r"^\| (`.*?) \|(.*?)\|(.*?)\|(.*?)\|$", section, re.MULTILINE):
        keys = re.findall(r"`([\w.]+)`", names)
        written = re.findall(r"`([^`]+)`|([^\s,`]+)", defaults)
        assert len(written) == len(keys), names
        yield from (
            (key, ("".join(default), meaning + defaults + values)) for key, default in zip(keys, written, strict=True)
        )


def must_be_documented(model, rows, leave_out=()):
    """Every key of a section is in a table, with its default and all values that it may have."""
    for name, field in model.model_fields.items():
        if name in leave_out:
            continue
        default, row = rows[name]
        assert default == "–" if field.default is None else yaml.safe_load(default) == field.default, name
        assert {choice for choice in choices(field.annotation) if f"`{choice}`" not in row} <= set(
            default.strip("[]").split(", ")
        ), name


def choices(annotation):
    """The words that a field may have, itself or in a list."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    else:
        for inner in get_args(annotation):
            yield from choices(inner)


@pytest.mark.parametrize("name", detector_registry.detectors())
def test_every_setting_of_a_detector_is_documented_with_its_default_and_its_values(name):
    headings = [line for line in CONFIG.splitlines() if line.startswith("### Settings of ") and f"`{name}`" in line]
    rows = {key: entry for heading in dict.fromkeys(headings) for key, entry in table_below(heading)}
    must_be_documented(detector_registry.detector_settings(name), rows)


def test_training_and_regression_are_documented_with_their_defaults_and_values():
    must_be_documented(Training, dict(table_below("## `training`")))
    must_be_documented(Regression, dict(table_below("## `regression.<row>`")), leave_out=("training",))


def test_every_preset_is_on_the_page_of_the_config():
    section = CONFIG.split("### Presets")[1].split("\n## ")[0]
    assert set(re.findall(r"`(\w+)`", section)) >= set(preset_names())


# --- what a page asks its reader to do -------------------------------------------------------------------------------


def test_the_config_of_the_tutorial_is_a_study(config):
    page = (ROOT / "docs/tutorial.md").read_text()
    written = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.DOTALL).group(1))
    assert parse_study(laid_over(config, written)).study == written["study"]


def test_every_command_of_make_that_a_page_names_is_in_the_makefile():
    targets = re.findall(r"^([\w.-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "config/README.md"]
    for path in (page for page in pages if page.name != "CHANGELOG.md"):  # which names what there was
        for line in path.read_text().splitlines():
            for target in re.findall(r"^(?:    |\$ )make ([\w.-]+)|`make ([\w.-]+)", line):
                assert "".join(target) in targets, f"{path.name}: {line}"


def test_the_citation_is_whole():
    """What the schema of CFF 1.2.0 asks for, and that it speaks of this version."""
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert {"authors", "cff-version", "message", "title"} <= cited.keys()
    for reference in cited["references"]:
        assert {"authors", "title", "type"} <= reference.keys()
    project = (ROOT / "pyproject.toml").read_text()
    assert f'version = "{cited["version"]}"' in project
    assert f'license = "{cited["license"]}"' in project


def test_the_catalog_finds_what_it_looks_for():
    """snakemake-workflow-catalog's README: what lists a workflow, and under standardized usage."""
    readme = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in readme
    assert "workflow" in readme
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text())["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert any(usage["software-stack-deployment"].values())
    for path in ("workflow/Snakefile", "config/README.md", "config/config.yaml", "LICENSE"):
        assert (ROOT / path).is_file()


def test_pictures_of_the_docs_are_small():
    for path in Path(ROOT, "docs").glob("tutorial-*.png"):
        assert path.stat().st_size < 200_000, path.name
