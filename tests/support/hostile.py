"""Hostile inputs from a random generator: damaged files, configs with errors, names that a shell would execute.

Property tests use them, and the campaigns of tests/torture, which damage a whole study.
"""

import copy
import math
import random
from collections.abc import Iterator
from typing import Any

FOLDER = "a b; $(touch hacked) `touch hacked` \"q\" 'a' & | > ünï \\ *?~ #%"
"""The name of a folder that runs `touch` wherever it is not quoted."""
NAMES = ["a b", "a;b", "$(touch hacked)", "`id`", "../up", "/etc", "a/b", "", ".", "ünï", "{b}", "{config}", "a\n", "'"]
NAMES += ['"', "-rf", "a|b", "a.b", "1a", "~", "\x00", "%s", "*", "C:\\x", "\u202e", "a" * 10_000 + "!"]
"""Names that are not allowed anywhere in a study."""
VALUES = [None, True, -1, 0, 1e-320, 10**30, 1e308, math.inf, -math.inf, math.nan, "", "8", "1e999", [], {}, [[]]]
VALUES += [[None], {"a": {}}, {"": 1}, {1: 2}, {None: None}, {"uniform": [1, 0]}, {"uniform": [math.nan, 1]}]
VALUES += [{"uniform": {}}, {"normal": [0, 1e308]}, {"poisson": [1e300]}, {"powerlaw": [1e300, 1, 2]}, 1j, b"\xff"]
VALUES += [{"uniform": ["0", "x"]}, {"truncnorm": [0, 1e-300, 1, 2]}, {"integers": [0, 1e300]}, (1, 2), {1, 2}, print]
VALUES += [16**5000, "x" * 100_000, *NAMES]
"""Values that a key may get instead of a valid one."""


def damaged(content: bytes, rng: random.Random) -> bytes:
    """The content truncated, with a flipped bit, with a block overwritten or removed, or with bytes appended."""
    changed = content
    while changed == content:
        position, length = rng.randrange(len(content)), rng.choice([1, 16, 512])
        changed = rng.choice(
            [
                content[:position],
                content[:position] + bytes([content[position] ^ 1 << rng.randrange(8)]) + content[position + 1 :],
                content[:position] + bytes(length) + content[position + length :],
                content[:position] + content[position + length :],
                content + rng.randbytes(length),
            ]
        )
    return changed


def key_paths(section: Any, above: tuple = ()) -> Iterator[tuple]:
    """The paths of all keys and entries of a config."""
    entries = section.items() if isinstance(section, dict) else enumerate(section) if isinstance(section, list) else ()
    for key, value in entries:
        yield (*above, key)
        yield from key_paths(value, (*above, key))


def with_errors(config: dict, rng: random.Random) -> dict:
    """A config in which one to three entries are changed, missing, renamed or added."""
    config = copy.deepcopy(config)
    for _ in range(rng.randint(1, 3)):
        *above, key = rng.choice(list(key_paths(config)) or [("study",)])
        section: Any = config
        for part in above:
            section = section[part]
        error = rng.choice(["changed", "changed", "missing", "renamed", "added"])
        if error == "changed":
            section[key] = copy.deepcopy(rng.choice(VALUES))
        elif isinstance(section, list) or error == "missing":
            del section[key]
        else:
            section[rng.choice([f"{key}x", *NAMES])] = section.pop(key) if error == "renamed" else rng.choice(VALUES)
    return config
