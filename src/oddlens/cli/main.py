"""The command `oddlens`: one parser and the dispatch to its subcommands, one module each.

Heavy packages are imported when a subcommand runs, so `--help` is immediate. Exit status: 0 if all went well, 1 if
something is not as it should be (an image without a score, a file that differs from its record), 2 if the command
could not run; the reason is then one line on the error stream. It is 141 if nobody reads the output.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from oddlens import __version__
from oddlens.cli import (
    audit,
    camera,
    export,
    fit,
    image,
    inspect,
    outputs,
    real,
    report,
    schema,
    score,
    submission,
    verify,
)
from oddlens.files.names import printable

COMMANDS = {
    "score": score,
    "inspect": inspect,
    "verify": verify,
    "export": export,
    "image": image,
    "real": real,
    "fit": fit,
    "camera": camera,
    "report": report,
    "audit": audit,
    "submission": submission,
    "schema": schema,
}
DESCRIPTION = "Find strong gravitational lenses whose dark matter is anomalous."
EPILOG = """\
example: oddlens score lens.fits --model model_a/aae

oddlens COMMAND --help describes a command. `make study` in a checkout runs the workflow."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print the error and exit with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")

    def options(self) -> list[str]:
        """The options that it takes."""
        return sorted(self._option_string_actions)


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the command line, and that of each subcommand."""
    style: dict[str, Any] = {"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False}
    root = Parser(prog="oddlens", description=DESCRIPTION, epilog=EPILOG, **style)
    root.add_argument("--version", action="version", version=f"oddlens {__version__}")
    commands = root.add_subparsers(required=True, metavar="COMMAND", dest="command", title="commands")
    parsers = {}
    for name, module in COMMANDS.items():
        epilog = "\n".join(["examples:", *(f"  {line}" for line in module.EXAMPLES)])
        own = commands.add_parser(name, help=module.HELP, description=module.__doc__, epilog=epilog, **style)
        module.add_arguments(own)
        parsers[name] = own
    return root, parsers


def check_names(argv: Sequence[str], root: Parser, commands: Mapping[str, Parser]) -> None:
    """Exit with an error that names the nearest one if a subcommand or an option is unknown.

    argparse would first ask for arguments that are missing because another name was misspelt.
    """
    parser = root
    for argument in argv:
        name = argument.partition("=")[0]
        if name == "--":
            return
        if parser is root and not name.startswith("-"):
            if name not in commands:
                root.error(f"unknown command '{name}'. {_nearest(name, list(commands))}")
            parser = commands[name]
        elif name.startswith("--") and name not in parser.options():
            parser.error(f"unknown option '{name}'. {_nearest(name, parser.options())}")


def _nearest(name: str, known: Sequence[str]) -> str:
    from oddlens.schema.config_errors import nearest  # pydantic, which --help does not need

    return nearest(name, known)


def main(argv: Sequence[str] | None = None) -> None:
    """Run a subcommand and exit with its status."""
    argv = sys.argv[1:] if argv is None else argv
    outputs.print_anything()
    root, commands = parsers()
    check_names(argv, root, commands)
    arguments = root.parse_args(argv)
    try:
        status = COMMANDS[arguments.command].run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        outputs.close_outputs()
        sys.exit(outputs.READER_LEFT)
    except (OSError, ValueError, ModuleNotFoundError) as error:
        print(f"oddlens {arguments.command}: {_lines(error)}", file=sys.stderr)
        sys.exit(2)
    sys.exit(status)


def _lines(error: Exception) -> str:
    """The message of an error as one line, of a config one line for each of its errors."""
    from oddlens.schema.config_errors import ConfigError

    lines = str(error).splitlines() if isinstance(error, ConfigError) else [str(error)]
    return "\n".join(map(printable, lines))
