"""Check that the files of studies are what their jobs wrote, or describe the job that wrote one file."""

import argparse
from pathlib import Path

HELP = "check the files of studies against the records of their jobs"
EXAMPLES = ("oddlens audit", "oddlens audit results/default", "oddlens audit results/default/tables/auc.csv")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens audit`."""
    parser.add_argument("path", type=Path, nargs="?", help="the folder of a study, or one file; default: all studies")


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; the status is 1 if some file is not as recorded."""
    from oddlens.provenance.audit import audit

    lines, as_recorded = audit(arguments.path)
    print(*lines, sep="\n")
    return int(not as_recorded)
