"""The refusal of data sets with leaks."""

import pandas as pd

from oddlens.data.severity import LEAK

MAX_LINES = 8
"""Leaks that are named; the others are counted."""


def refuse(table: pd.DataFrame) -> None:
    """Check that a data set has no leaks, by its table of leaks.

    Raises:
        ValueError: with one line for each leak: what is shared or told apart, an example, and what to do.
    """
    found = table[table["severity"] == LEAK]
    if not len(found):
        return
    dataset = found["dataset"].iloc[0]
    lines = [f"{dataset}: leak: {_text(line)}" for line in found.head(MAX_LINES).to_dict("records")]
    more = [f"{dataset}: and {len(found) - MAX_LINES} more leaks"] if len(found) > MAX_LINES else []
    last = f"{dataset}: to go on in spite of leaks, set datasets.{dataset}.files.strict to false"
    raise ValueError("\n".join([*lines, *more, last]))


def _text(line: dict) -> str:
    """A line of the table as a sentence."""
    if line["kind"] == "duplicates":
        pairs = f"{line['count']:.0f} {'pair' if line['count'] == 1 else 'pairs'} with {line['check']}"
        return f"{line['compared']}: {pairs}, such as {line['example']}: {line['remedy']}"
    return (
        f"{line['check']} of files tells {line['compared']} apart (AUC {line['auc']:.2f}, {line['example']}): "
        f"{line['remedy']}"
    )
