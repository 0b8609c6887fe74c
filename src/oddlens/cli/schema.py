"""Write the JSON schema of config files, by which editors complete and check their keys."""

import argparse

from oddlens.cli.outputs import output_file

HELP = "write the JSON schema of config files"
EXAMPLES = ("oddlens schema", "oddlens schema config/schema.json")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens schema`."""
    parser.add_argument("file", type=output_file, nargs="?", help="the file to write; default: the terminal")


def run(arguments: argparse.Namespace) -> int:
    """Write or print the schema."""
    from oddlens.config import json_schema

    if arguments.file is None:
        print(json_schema.text(), end="")
        return 0
    json_schema.write(arguments.file)
    print(f"Written: {arguments.file}")
    return 0
