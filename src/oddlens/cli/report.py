"""Write the final report of all studies: one page and, with Chromium on the PATH, a PDF of it."""

import argparse
from pathlib import Path

from oddlens.cli.outputs import output_file

HELP = "write the final report of all studies"
EXAMPLES = ("oddlens report", "oddlens report reference default", "oddlens report --to report.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens report`."""
    parser.add_argument("study", nargs="*", help="studies in order of precedence; default: all but trials")
    parser.add_argument("--results", type=Path, default=Path("results"), help="their folder; default: %(default)s")
    parser.add_argument("--to", type=output_file, help="the page; default: final_report.html in that folder")


def run(arguments: argparse.Namespace) -> int:
    """Write the report."""
    from oddlens.stages.final_report import final_report

    print(*final_report(arguments.results, arguments.study, arguments.to), sep="\n")
    return 0
