"""Errors about the images of real lenses in the words of the place where a user can do something about them.

Readers of images name the options of `oddlens score`. An index, a config and `oddlens real` have other means.
"""

import re
from collections.abc import Mapping

from oddlens.observations.lens_index import LensEntry

INDEX_WORDING = {
    "--pixel-scale": "the column pixel_scale_arcsec",
    "--dataset": "path#NAME",
    "--channel": "saving it alone",
    **{f"--{kind}": f"the column {kind}" for kind in ("noise", "psf", "mask")},
}
"""What stands in an index for the options of `oddlens score` that errors name."""
CONFIG_WORDING = {
    **{option: f"{column} of an index" for option, column in INDEX_WORDING.items()},
    "--pixel-scale": "pixel_scale_arcsec under `real:`",
    **{option: INDEX_WORDING[option] for option in ("--dataset", "--channel")},
}
"""What stands in a config for them, if there is no index."""
COMMAND_WORDING = {**CONFIG_WORDING, "--pixel-scale": "--pixel-scale"}
"""What stands in the arguments of `oddlens real` for them, if there is no index."""


def hint(entry: LensEntry, problem: str, wording: Mapping[str, str]) -> str:
    """A problem of a lens in which the options of `oddlens score` are replaced by what its index or `wording` has."""
    wording = INDEX_WORDING if entry.indexed else wording
    return re.sub(r"--[a-z-]+\b", lambda option: wording.get(option[0], option[0]), problem)
