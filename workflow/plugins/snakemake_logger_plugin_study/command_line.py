"""Command lines that Snakemake would answer by a traceback, before it reads the workflow: one line for each.

`--configfile` and `--config` take all words up to the next option, a target too. Snakemake imports its logger plugins
before it reads its command line, and nothing else of this project: so this is where a target that they took is noticed.
"""

import argparse
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")


def problems(arguments: Sequence[str]) -> list[str]:
    """One line for each word that `--configfile` or `--config` takes and should not; `arguments` follow `snakemake`."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--configfile", "--configfiles", dest="files", nargs="+", default=[])
    parser.add_argument("--config", "-C", dest="entries", nargs="*", default=[])
    try:
        known, _ = parser.parse_known_args(arguments)
    except argparse.ArgumentError:  # Snakemake tells it
        return []
    return [*_of_files(known.files), *_of_entries(known.entries)]


def _of_files(words: Sequence[str]) -> Iterator[str]:
    for k, word in enumerate(words):
        named_so = word.endswith(CONFIG_SUFFIXES)
        if not Path(word).is_file() and (named_so or k == 0):
            yield f"--configfile {shlex.quote(word)}: there is no such file in {Path.cwd()}"
        elif k and not named_so and not _is_config(word):
            yield _swallowed("--configfile", words[:k], words[k:])
            return


def _of_entries(words: Sequence[str]) -> Iterator[str]:
    for k, word in enumerate(words):
        key, equals, value = word.partition("=")
        section, *inner = key.split(".")
        if not equals:
            yield _swallowed("--config", words[:k], words[k:])
            return
        if inner:
            nested = f"{section}={''.join(f'{{{part}: ' for part in inner)}{value}{'}' * len(inner)}"
            yield f"--config {shlex.quote(word)}: a key inside a section is given as --config {shlex.quote(nested)}"


def _swallowed(option: str, own: Sequence[str], others: Sequence[str]) -> str:
    form = {"--config": "KEY=VALUE", "--configfile": "a config file"}[option]
    right = " ".join([option, *map(shlex.quote, own), "--", *map(shlex.quote, others)])
    return (
        f"{option} takes all words that follow it, {shlex.quote(others[0])} too, which is not {form}. If it is a "
        f"target, write -- before it: {right}"
    )


def _is_config(word: str) -> bool:
    """Whether a file holds a mapping, as config files do."""
    try:
        return isinstance(yaml.safe_load(Path(word).read_text(encoding="utf-8")), dict)
    except (OSError, ValueError, yaml.YAMLError):
        return False
