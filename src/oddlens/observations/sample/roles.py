"""The pool and the class of each image of a sample, from the roles and labels of its sheet or folder."""

import re
from collections.abc import Collection

import pandas as pd

from oddlens.config.files_dataset import Split
from oddlens.data.pools import UNLABELLED
from oddlens.data.pseudo_anomalies import PSEUDO_ANOMALY
from oddlens.data.randomness import torch_seed
from oddlens.data.training_sets import CLEAN, LABELLED, MIXED
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations.sample.mistakes import Mistakes

RESERVED = {UNLABELLED, PSEUDO_ANOMALY, CLEAN, LABELLED, MIXED, "all", "NA", "NULL", "NaN", "None", "nan", "null"}
"""Words with another meaning in tables, which no class may have."""
MAX_NAMED = 3
"""Objects that a message names."""


def add_classes(table: pd.DataFrame, smooth: Collection[str]) -> pd.DataFrame:
    """The table with the column `class`: `smooth`, a word made of another label, or empty without a label.

    Raises:
        ValueError: if two labels give one word, or one that is reserved.
    """
    normal = {label.lower() for label in smooth}
    words: dict[str, str] = {"": ""}
    for label in filter(None, table["label"].unique()):
        word = SMOOTH if label.lower() in normal else re.sub(r"\W+", "_", label).strip("_")
        if not word or word in RESERVED or (word == SMOOTH and label.lower() not in normal):
            raise ValueError(f"the label '{label}' has another meaning here: rename it, or name it under files.smooth")
        same = [other for other, its in words.items() if its == word]
        if same and word != SMOOTH:
            raise ValueError(f"the labels '{same[0]}' and '{label}' both become the class '{word}': rename one")
        words[label] = word
    return table.assign(**{"class": table["label"].map(words)})


def folder_roles(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Roles of a folder in which training or validation folders have anomalies, as DeepLense's have; and notes on it.

    Anomalies among the training images become contaminants. If there are no test images, a validation folder with
    anomalies has the test images.
    """
    notes, role = [], table["role"].copy()
    odd = ~table["class"].isin([SMOOTH, ""])
    if (contaminants := odd & (role == "train")).any():
        role[contaminants] = "contaminant"
        notes.append(f"{contaminants.sum()} anomalies in the training folder have the role contaminant")
    validation = role == "validation"
    if (odd & validation).any() and not (role == "test").any():
        role[validation] = "test"
        notes.append("the validation folder has anomalies: its images have the role test")
        normal = role == "train"
        role[normal] = ""  # some of them validate
    return table.assign(role=role), notes


def divide(table: pd.DataFrame, split: Split, seed: int, dataset: str) -> pd.DataFrame:
    """The table with a role for every image: those without one are divided at random, by object.

    A pool that has images already gets no others. The role of an object depends on its name, the seed and the fractions
    alone. So it stays when images are added.
    """
    by = table[split.by].astype(str)
    without = table["role"] == ""
    drawn = {name: torch_seed(seed, "role", dataset, name) / 2**63 for name in by[without].unique()}
    u = by[without].map(drawn)
    odd = ~table.loc[without, "class"].isin([SMOOTH, ""])
    given = set(table["role"])
    test, validation = (0.0 if pool in given else getattr(split, pool) for pool in ("test", "validation"))
    role = pd.Series("train", index=u.index)
    role[u < test + validation] = "validation"
    role[u < test] = "test"
    role[odd] = "test"
    role[odd & (u >= 1 - split.contaminant)] = "contaminant"
    return table.assign(role=table["role"].mask(without, role))


def check_roles(source: str, table: pd.DataFrame, mistakes: Mistakes) -> None:
    """Add mistakes of roles that do not fit labels, and of objects in more than one pool.

    Args:
        source: the sheet or folder.
    """
    odd, role = ~table["class"].isin([SMOOTH, ""]), table["role"]
    for image in table[odd & role.isin(["train", "validation"])].itertuples():
        mistakes.add(
            f"{source}, line {image.line}: role is '{image.role}', but label '{image.label}' is not a normal one "
            "(files.smooth): use contaminant, or test"
        )
    for image in table[~odd & (role == "contaminant")].itertuples():
        mistakes.add(f"{source}, line {image.line}: role is 'contaminant', which needs the label of an anomaly")
    roles = table.groupby("object")["role"].nunique()
    shared = table[table["object"].isin(roles.index[roles > 1])]
    pairs: dict[tuple[str, ...], list[str]] = {}
    for name, images in shared.groupby("object"):
        lines = ", ".join(str(line) for line in images["line"].head(4))
        pairs.setdefault(tuple(sorted(set(images["role"]))), []).append(f"{name} ({lines})")
    for pools, names in pairs.items():
        more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
        mistakes.add(
            f"{len(names)} objects are in {' and '.join(pools)} at once: {'; '.join(names[:MAX_NAMED])}{more} (by line)"
        )
