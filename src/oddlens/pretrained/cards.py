"""The card of a published model as text: the detector, its performance, its training data and its limits.

All numbers come from the card in the model file, which `oddlens.stages.publish` compiles from records and tables.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from oddlens.data.training_sets import LABELLED, parse_training_set
from oddlens.observations.matching import CAUTION
from oddlens.provenance.environment import describe_commit
from oddlens.statistics.false_alarm import EXTRAPOLATION

OPTIONAL = {
    "an elliptical halo": ("lens", "ellipticity"),
    "a power-law halo": ("lens", "slope"),
    "multipoles of order 3": ("lens", "multipole_3"),
    "multipoles of order 4": ("lens", "multipole_4"),
    "light of the lens galaxy": ("lens", "light"),
    "clumps in the source": ("source", "clumps"),
    "images of real galaxies as sources": ("source", "images"),
    "correlated noise": ("camera", "noise_correlation_pixels"),
}
"""Optional parts of a simulation, and the section and key that switch each on."""


def text(card: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    parts = (_usage(card), _performance(card), _training(card), _limits(card), [f"Licence: {card['licence']}."])
    return "\n\n".join("\n".join(lines) for lines in parts) + "\n"


def _usage(card: Mapping[str, Any]) -> list[str]:
    camera = card["target"]["camera"]
    return [
        f"# {card['name']}",
        "",
        f"{card['description']}.",
        "",
        f"    oddlens score IMAGE --model {card['name']}      # {camera['pixels']} x {camera['pixels']} pixels of "
        f'{camera["pixel_scale_arcsec"]:g}", electrons / s, sky subtracted',
    ]


def _performance(card: Mapping[str, Any]) -> list[str]:
    return [
        "## Performance",
        "",
        "AUC against smooth lenses on simulated test images. The first interval is 95 % over test images (twins count "
        "as one lens). The mean is over the seeds of the study, and the second interval is 95 % over seeds.",
        "",
        "| anomaly | AUC | interval | anomalous / smooth images | mean | over seeds | seeds |",
        "|---|---|---|---|---|---|---|",
        *(_performance_row(entry) for entry in card["measured"]),
    ]


def _performance_row(entry: Mapping[str, Any]) -> str:
    over_seeds = "–" if entry["seed_low"] is None else f"{entry['seed_low']:.3f} to {entry['seed_high']:.3f}"
    return (
        f"| {entry['anomaly']} | {entry['auc']:.3f} | {entry['auc_low']:.3f} to {entry['auc_high']:.3f} "
        f"| {entry['n_anomalous']:,} / {entry['n_normal']:,} | {entry['mean']:.3f} | {over_seeds} | {entry['seeds']} |"
    )


def _training(card: Mapping[str, Any]) -> list[str]:
    target, camera = card["target"], card["target"]["camera"]
    contaminant, fraction = parse_training_set(card["training_set"])
    content = "labelled" if contaminant == LABELLED else f"{fraction:.0%} {contaminant}" if fraction else "all smooth"
    simulated = _optional_parts(card, present=True)
    settings = ", ".join(f"{name} {value}" for name, value in card["training"].items())
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    return [
        "## Training",
        "",
        f"* Data: `{target['dataset']}` of the study `{card['study']}`, {card['training_images']:,} training "
        f"images ({content}). Lenses are isothermal halos with shear and a Sersic source"
        + (f", with {_listed(simulated)}" if simulated else "")
        + ".",
        f"* Camera: {camera['psf']['profile'] or 'measured'} point-spread function, {target['exposure_s']:g} s, "
        f"{target['sky']:.3g} electrons / s of sky per pixel.",
        f"* Settings: {settings}.",
        f"* Seeds: {card['master_seed']} (master) and {card['seed']} (this model). The model is that of the study's "
        "first seed, not the one with the highest AUC.",
        f"* Commit {describe_commit(card['code'])}; {versions}; {card['device']}.",
        f"* Tensors: {card['precision']}. Scores of smooth lenses differ from the study's by at most "
        f"{card['difference']:.2g} of their standard deviation.",
        f"* Mini set: {len(card['mini']['scores'])} test images. `oddlens verify {card['name']}` scores them again and "
        "compares.",
    ]


def _limits(card: Mapping[str, Any]) -> list[str]:
    missing, n_smooth = _optional_parts(card, present=False), len(card["smooth_scores"])
    return [
        "## Limits",
        "",
        *([f"* Training images lack {_listed(missing)}. Images with these may get high scores."] if missing else []),
        f'* False-alarm probabilities ("1 in N") are relative to {n_smooth:,} smooth lenses. None below '
        f"1 in {EXTRAPOLATION * n_smooth:,} is reported.",
        f"* {CAUTION}",
        "* The AUC is for the simulated anomalies above. Other anomalies may be easier or harder to detect.",
    ]


def _optional_parts(card: Mapping[str, Any], *, present: bool) -> list[str]:
    """The parts of `OPTIONAL` that the simulation has, or those that it lacks."""
    simulation = card["simulation"]
    return [part for part, (section, key) in OPTIONAL.items() if (simulation[section].get(key) is not None) == present]


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
