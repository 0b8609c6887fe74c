"""Options, commands, make targets and files that the code names exist where they are named."""

import ast
import re

import pytest
from snakemake.cli import get_argument_parser

from conftest import ROOT
from oddlens.cli.main import parsers
from oddlens.config.contamination import Contamination
from oddlens.config.dataset import ImageCounts
from oddlens.config.files_dataset import Files, Split, StatedCamera
from oddlens.config.training import Training
from oddlens.lensing.simulation import Camera
from oddlens.observations.hints import COMMAND_WORDING, CONFIG_WORDING, INDEX_WORDING, hint
from oddlens.observations.lens_index import COLUMNS, LensEntry

SOURCES = [*sorted((ROOT / "src/oddlens").rglob("*.py")), *sorted((ROOT / "workflow").rglob("*.py"))]
TEXTS = [*SOURCES, *(p for p in sorted(ROOT.glob("workflow/**/*")) if p.suffix in (".smk", ".rst")), ROOT / "Makefile"]
TEXTS += [ROOT / "workflow/Snakefile", *sorted((ROOT / "src/oddlens").rglob("*.j2"))]
FOLDERS = ("docs", "config", "envs", "tests", "profiles", "workflow", "src")
COMMANDS = parsers()[1]
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
SNAKEMAKES = set(get_argument_parser()._option_string_actions)


def named(pattern, files=TEXTS):
    """Each word that matches a pattern, with its file."""
    return {(path.name, word) for path in files for word in re.findall(pattern, path.read_text())}


def messages(path):
    """The texts of a file that are sentences, not arguments for another program."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value.strip()
            if " " in text and not text.startswith("--"):
                yield text


def options_of(files):
    return {(path.name, option) for path in files for text in messages(path) for option in OPTION.findall(text)}


def test_options_that_texts_name_exist():
    known = SNAKEMAKES.union(*(command.options() for command in COMMANDS.values()))
    found = options_of(SOURCES)
    assert len(found) > 10
    assert not {(file, option) for file, option in found if option not in known}


def test_options_that_readers_of_images_name_are_those_of_the_command_or_are_replaced():
    """Readers serve `oddlens score`; `oddlens real`, indices and configs have other means for some options."""
    found = {option for _, option in options_of(sorted((ROOT / "src/oddlens/observations").rglob("*.py")))}
    assert {"--pixel-scale", "--dataset"} <= found <= set(COMMANDS["score"].options())
    assert found <= set(INDEX_WORDING) & set(CONFIG_WORDING) & set(COMMAND_WORDING)
    kept = {option for option, words in COMMAND_WORDING.items() if option in words}
    assert kept <= set(COMMANDS["real"].options())
    assert not any(OPTION.search(words) for words in (*INDEX_WORDING.values(), *CONFIG_WORDING.values()))
    assert {words.split()[-1] for words in INDEX_WORDING.values() if "column" in words} <= COLUMNS


def test_a_hint_speaks_of_the_place_of_its_lens():
    problem = "Give --pixel-scale, or choose by --dataset"
    single, indexed = (LensEntry("a", {}, indexed=indexed) for indexed in (False, True))
    assert hint(indexed, problem, CONFIG_WORDING).startswith("Give the column pixel_scale_arcsec, or choose by path#")
    assert hint(single, problem, CONFIG_WORDING).startswith("Give pixel_scale_arcsec under `real:`, or")
    assert hint(single, problem, COMMAND_WORDING) == "Give --pixel-scale, or choose by path#NAME"


def test_targets_of_make_that_texts_name_are_in_the_makefile():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    found = named(r"[`\"']make ([a-z-]+)[`\"' ]")
    assert found
    assert not {(file, target) for file, target in found if target not in targets}


def test_variables_of_make_that_texts_name_are_read_by_the_makefile():
    found = named(r"\bmake [a-z-]+ \[?([A-Z_]+)=")
    assert found
    assert all(f"$({name})" in (ROOT / "Makefile").read_text() for _, name in found)


def test_commands_that_texts_name_exist():
    found = named(r"`oddlens ([a-z]+)\b")
    assert found
    assert not {(file, command) for file, command in found if command not in COMMANDS}


def test_files_of_the_project_that_texts_name_exist():
    found = named(rf"\b((?:{'|'.join(FOLDERS)})/[\w./-]+\.(?:md|yaml|py|csv|sha256|smk|json))\b")
    assert len(found) > 10
    assert not {(file, path) for file, path in found if not (ROOT / path).exists()}


@pytest.mark.parametrize(
    ("name", "sections"),
    [
        ("images", [ImageCounts]),
        ("contamination", [Contamination]),
        ("training", [Training]),
        ("camera", [Camera, StatedCamera]),
        ("files", [Files]),
        ("split", [Split]),
    ],
)
def test_keys_of_the_config_that_messages_name_exist(name, sections):
    texts = "\n".join(text for path in SOURCES for text in messages(path))
    found = set(re.findall(rf"(?<!oddlens\.)\b{name}\.([a-z_]+)\b(?!\()", texts)) - {"py", "csv", "yaml"}
    assert found <= {key for section in sections for key in section.model_fields}


@pytest.mark.parametrize("command", COMMANDS)
def test_examples_of_a_command_are_right(command):
    from oddlens.cli.main import COMMANDS as MODULES

    for line in MODULES[command].EXAMPLES:
        program, name, *arguments = line.split()
        assert (program, name) == ("oddlens", command)
        COMMANDS[command].parse_args(arguments)
