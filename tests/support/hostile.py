"""Hostile input, a function of a random generator: damaged files, configs with mistakes, names that trip up a shell.

For property tests here, and for campaigns that break a whole study.
"""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

FOLDER = "a b; $(touch hacked) `touch hacked` \"q\" 'a' & | > ünï \\ *?~ #%"
"""The name of a folder that runs `touch` where somebody forgot to quote it."""
NAMES = ["a b", "a;b", "$(touch hacked)", "`id`", "../up", "/etc", "a/b", "", ".", "ünï", "{b}", "{config}", "a\n", "'"]
NAMES += ['"', "-rf", "a|b", "a.b", "1a", "~", "\x00", "%s", "*", "C:\\x", "\u202e", "a" * 10_000 + "!"]
"""Names that nothing in a study may have."""
VALUES = [None, True, -1, 0, 1e-320, 10**30, 1e308, math.inf, -math.inf, math.nan, "", "8", "1e999", [], {}, [[]]]
VALUES += [[None], {"a": {}}, {"": 1}, {1: 2}, {None: None}, {"uniform": [1, 0]}, {"uniform": [math.nan, 1]}]
VALUES += [{"uniform": {}}, {"normal": [0, 1e308]}, {"poisson": [1e300]}, {"powerlaw": [1e300, 1, 2]}, 1j, b"\xff"]
VALUES += [{"uniform": ["0", "x"]}, {"truncnorm": [0, 1e-300, 1, 2]}, {"integers": [0, 1e300]}, (1, 2), {1, 2}, print]
VALUES += [16**5000, "x" * 100_000, *NAMES]
"""What a key may be given instead of what belongs there."""


def damaged(content: bytes, rng: random.Random) -> bytes:
    """Other bytes: cut short, with bits turned, a block overwritten or left out, or something after the end."""
    found = content
    while found == content:
        place, length = rng.randrange(len(content)), rng.choice([1, 16, 512])
        found = rng.choice(
            [
                content[:place],
                content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :],
                content[:place] + bytes(length) + content[place + length :],
                content[:place] + content[place + length :],
                content + rng.randbytes(length),
            ]
        )
    return found


def places(section: Any, above: tuple = ()) -> Iterator[tuple]:
    """Where all keys and entries of a config are."""
    entries = section.items() if isinstance(section, dict) else enumerate(section) if isinstance(section, list) else ()
    for key, value in entries:
        yield (*above, key)
        yield from places(value, (*above, key))


def mistaken(config: dict, rng: random.Random) -> dict:
    """A config in which one to three things are something else, are missing, or are called something else."""
    config = copy.deepcopy(config)
    for _ in range(rng.randint(1, 3)):
        *above, key = rng.choice(list(places(config)) or [("study",)])
        section: Any = config
        for part in above:
            section = section[part]
        what = rng.choice(["changed", "changed", "missing", "renamed", "added"])
        if what == "changed":
            section[key] = copy.deepcopy(rng.choice(VALUES))
        elif isinstance(section, list) or what == "missing":
            del section[key]
        else:
            section[rng.choice([f"{key}x", *NAMES])] = section.pop(key) if what == "renamed" else rng.choice(VALUES)
    return config
