"""The card of a published model as text: what it is, what it was made of, how well it does, and what it is not for.

Every figure comes from the card in the model file, which `oddlens.stages.publish` makes from records and tables.
"""

from collections.abc import Mapping
from typing import Any

from oddlens.data.training_sets import LABELLED, parse_training_set
from oddlens.observations.frames import CAUTION
from oddlens.provenance.environment import commit_in_words
from oddlens.statistics.false_alarm import FLOOR

OPTIONAL = {
    "an elliptical halo": ("lens", "ellipticity"),
    "multipoles of order 3": ("lens", "multipole_3"),
    "multipoles of order 4": ("lens", "multipole_4"),
    "light of the lens galaxy": ("lens", "light"),
    "clumps in the source": ("source", "clumps"),
    "correlated noise": ("camera", "noise_correlation_pixels"),
}
"""What a simulation may have, and where it says so."""


def text(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    camera = card["target"]["camera"]
    contaminant, fraction = parse_training_set(card["training_set"])
    known = "known labels" if contaminant == LABELLED else f"{fraction:.0%} {contaminant}" if fraction else "all smooth"
    has = [what for what, (section, key) in OPTIONAL.items() if card["simulation"][section].get(key) is not None]
    lacks = [what for what in OPTIONAL if what not in has]
    training = ", ".join(f"{name} {value}" for name, value in card["training"].items())
    lines = [
        f"# {card['name']}",
        "",
        f"{card['what']}.",
        "",
        f"    oddlens score IMAGE --model {card['name']}      # {camera['pixels']} x {camera['pixels']} pixels of "
        f'{camera["pixel_scale_arcsec"]:g}", electrons / s, sky subtracted',
        "",
        "## What it finds",
        "",
        "AUC against smooth lenses on simulated test images, with 95 % intervals over these images (twins count as one "
        "lens); then the mean over the study's seeds, with that over seeds.",
        "",
        "| anomaly | AUC | interval | odd / smooth images | mean | over seeds | seeds |",
        "|---|---|---|---|---|---|---|",
        *(_measured(entry) for entry in card["measured"]),
        "",
        "## What it was made of",
        "",
        f"* Data: `{card['target']['dataset']}` of the study `{card['study']}`, {card['training_images']:,} training "
        f"images ({known}). Lenses are isothermal halos with shear and a Sersic source"
        + (f", with {_listed(has)}" if has else "")
        + ".",
        f"* Camera: {camera['psf']['profile']} point-spread function, {card['target']['exposure_s']:g} s, "
        f"{card['target']['sky']:.3g} electrons / s of sky in a pixel.",
        f"* Training: {training}.",
        f"* Seeds: {card['master_seed']} (master) and {card['seed']} (this model's, the study's first, not its best); "
        "all randomness follows from both.",
        f"* Made at commit {commit_in_words(card['code'])}, by "
        + ", ".join(f"{name} {version}" for name, version in card["versions"].items())
        + f", on {card['device']}.",
        f"* Tensors: {card['precision']}; scores of smooth lenses differ from the study's by at most "
        f"{card['difference']:.2g} of their scatter.",
        f"* Mini set: {len(card['mini']['scores'])} test images, whose scores `oddlens verify {card['name']}` repeats.",
        "",
        "## Limits",
        "",
        *([f"* The lenses that it learned from lack {_listed(lacks)}: what has any may look odd."] if lacks else []),
        f'* "1 in N" is held against {len(card["smooth"]):,} smooth lenses; less than 1 in '
        f"{FLOOR * len(card['smooth']):,} is never claimed.",
        f"* {CAUTION}",
        "* The AUC is that of the simulated anomalies above; others may be easier or harder.",
        "",
        f"Licence: {card['licence']}.",
    ]
    return "\n".join(lines) + "\n"


def _measured(entry: Mapping[str, Any]) -> str:
    over = "–" if entry["seed_low"] is None else f"{entry['seed_low']:.3f} to {entry['seed_high']:.3f}"
    return (
        f"| {entry['anomaly']} | {entry['auc']:.3f} | {entry['auc_low']:.3f} to {entry['auc_high']:.3f} "
        f"| {entry['n_anomalous']:,} / {entry['n_normal']:,} | {entry['mean']:.3f} | {over} | {entry['seeds']} |"
    )


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
