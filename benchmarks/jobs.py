"""Time, cores and memory of the jobs of a study: `python benchmarks/jobs.py results/default`."""

import argparse
import sys
from pathlib import Path

from oddlens.provenance.benchmarks import read, table


def main() -> None:
    """Print a table with one line for each rule."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", type=Path, help="the folder of a study that has run")
    try:
        print(table(read(parser.parse_args().study).items()))
    except ValueError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
