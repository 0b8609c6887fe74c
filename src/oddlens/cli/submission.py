"""Turn a score table into a submission for rung 1 of the Roman Data Challenge: ID,has_substructure."""

import argparse
from pathlib import Path

from oddlens.cli.outputs import output_file, refuse_overwriting
from oddlens.files.names import shown_name

HELP = "turn scores into a submission for the Roman Data Challenge"
EXAMPLES = (
    "oddlens submission scores.csv --false-alarm 0.01 --key key.csv --output team_rung1_submission1.csv",
    "oddlens submission ranking.csv --column consensus --band F129 --false-alarm 0.05 --output b.csv",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `oddlens submission`."""
    parser.add_argument("scores", type=Path, help="a table of oddlens score --csv, or ranking.csv of a study")
    parser.add_argument(
        "--column",
        default="false_alarm_probability",
        metavar="NAME",
        help="of the false-alarm probability, in a ranking consensus or p_ROW; default: %(default)s",
    )
    parser.add_argument("--band", default="", metavar="NAME", help="only the images of this band, for example F129")
    parser.add_argument(
        "--false-alarm",
        type=float,
        required=True,
        metavar="P",
        help="lenses with this false-alarm probability or less are said to have substructure",
    )
    parser.add_argument("--output", type=output_file, required=True, metavar="FILE", help="the CSV file to write")
    parser.add_argument("--key", type=Path, metavar="FILE", help="a CSV whose column ID gives the order of the lenses")
    parser.add_argument("--missing", type=int, choices=(0, 1), help="the answer for lenses without a score")


def run(arguments: argparse.Namespace) -> int:
    """Write the submission, and say how many lenses are said to have substructure."""
    from oddlens.results.tables import roman_submission

    refuse_overwriting({"--output": arguments.output}, [arguments.scores, arguments.key])
    probabilities = roman_submission.read_probabilities(arguments.scores, arguments.column, arguments.band)
    key = roman_submission.read_key(arguments.key) if arguments.key else None
    ids, answers = roman_submission.submission(probabilities, arguments.false_alarm, key, arguments.missing)
    roman_submission.write_roman_submission(arguments.output, ids, answers)
    print(f"Written: {shown_name(arguments.output)}. Substructure: {answers.sum():,} of {len(ids):,} lenses")
    return 0
