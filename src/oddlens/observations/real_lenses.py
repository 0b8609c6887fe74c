"""Real lenses that are matched to a data set."""

import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from oddlens.files.names import printable
from oddlens.files.progress import say
from oddlens.observations.frames import read_lens
from oddlens.observations.hints import hint
from oddlens.observations.lens_index import LensEntry
from oddlens.observations.matching import MatchedFrame, match_frame
from oddlens.observations.target import Target


@dataclass(frozen=True)
class RealLens:
    """An image of a real lens, matched to a data set."""

    entry: LensEntry
    matched: MatchedFrame

    @property
    def label(self) -> str:
        """The unique name of the image."""
        return self.entry.label


def match_lenses(
    entries: Iterable[LensEntry], target: Target, wording: Mapping[str, str]
) -> tuple[list[RealLens], list[tuple[LensEntry, str]]]:
    """Read the images of lenses and match them to a data set.

    Args:
        wording: see `oddlens.observations.hints`.

    Returns the lenses, and the entries that cannot be used, each with its error as one line.
    """
    lenses: list[RealLens] = []
    failures: list[tuple[LensEntry, str]] = []
    for entry in entries:
        try:
            matched = match_frame(read_lens(entry), target)
        except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: the fit of the lens light failed
            failures.append((entry, hint(entry, one_line(error), wording)))
        else:
            matched = replace(matched, description=hint(entry, matched.description, wording))
            lenses.append(RealLens(entry, matched))
            say(f"{entry.label}: {matched.description}")
    return lenses, failures


def one_line(error: BaseException) -> str:
    """The message of an error as one printable line; PyTorch lists every tensor that does not fit."""
    return printable(textwrap.shorten(str(error), 300, placeholder=" ...")) or type(error).__name__
