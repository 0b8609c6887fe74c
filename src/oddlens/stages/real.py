"""Real lenses among simulated ones: `oddlens real PATH --study results/default`.

PATH is a frame, a folder with one, or an index (`oddlens.observations.lens_index`). Each is brought to the geometry of
a data set
(`oddlens.observations.frames`) and scored by all its detectors; and these score simulated lenses with the noise of the
frames'
outskirts (`oddlens.observations.empirical_noise`). What cannot be scored is told, and the rest goes on.
"""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from matplotlib.figure import Figure

from oddlens.config import settings
from oddlens.data import shards
from oddlens.data.randomness import stream
from oddlens.detectors.interface import loading
from oddlens.detectors.interface.base import INPUTS, Detector
from oddlens.files.progress import say
from oddlens.lensing.camera import noise_sigma
from oddlens.lensing.camera import sky as sky_of
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import empirical_noise, frames, lens_index
from oddlens.observations.empirical_noise import Noise
from oddlens.observations.frames import CAUTION, Frame, Target
from oddlens.observations.lens_index import Lens
from oddlens.results.figures import style
from oddlens.results.tables import conventions
from oddlens.results.tables.findings import FLAGS
from oddlens.results.tables.real import NOISE_COLUMNS, SCORE_COLUMNS, claims_table, problem_lines
from oddlens.statistics import metrics
from oddlens.statistics.false_alarm import false_alarm, one_in
from oddlens.training.loop import pick_device

TWINS = 100
"""Test images of each class that get the noise of a frame; models of the first seed score them."""
NAMED = 8
"""Rows whose percentiles stand in a picture."""


@dataclass(frozen=True)
class Brought:
    """A real lens as a data set would show it."""

    lens: Lens
    frame: Frame
    centre: tuple[int, int]
    light: np.ndarray  # what was subtracted, [h, w]
    image: np.ndarray  # float32 [pixels, pixels]
    factor: float
    """What the frame's brightness was multiplied by."""
    said: str


@dataclass(frozen=True)
class Simulated:
    """What a data set of a study looks like, and those of its test images that get real noise."""

    target: Target
    example: np.ndarray  # a smooth image [pixels, pixels]
    classes: list[str]  # of the test images, smooth first
    index: np.ndarray  # of the test images, the same in each class, [n]
    noise_free: np.ndarray  # [classes, n, pixels, pixels]
    exposure_s: np.ndarray  # [n]
    sky_variance: np.ndarray  # [n]


def simulated(study: Path, dataset: str) -> Simulated:
    """Of a data set of a study, which must have been made."""
    paths = sorted((study / "shards" / dataset / "validation" / SMOOTH).glob("*.h5"))
    if not paths:
        raise FileNotFoundError(f"{study} has no validation images of '{dataset}': run `make study` first")
    found = [shards.read(path) for path in paths]
    target = Target.of(found)
    folder = study / "shards" / dataset / "test"
    classes = [SMOOTH, *sorted({path.name for path in folder.iterdir()} - {SMOOTH})]
    tests = [shards.read(folder / cls / "000.h5") for cls in classes]
    truth = {name: array[:TWINS] for name, array in tests[0].group("truth").items()}
    read = truth.get("read_noise_electrons", 0.0)
    dark = noise_sigma(np.zeros(()), truth["exposure_s"], sky_of(target.camera, truth), read)
    return Simulated(
        target=target,
        example=found[0].images[0],
        classes=classes,
        index=tests[0].arrays["index"][:TWINS],
        noise_free=np.stack([test.arrays["noise_free"][:TWINS] for test in tests]),
        exposure_s=truth["exposure_s"],
        sky_variance=dark**2,
    )


# --- bring -----------------------------------------------------------------------------------------------------------


def brought(lens: Lens, target: Target) -> Brought:
    """A lens as a data set would show it.

    Raises:
        OSError, ValueError, RuntimeError: if that cannot be done.
    """
    frame = frames.read_lens(lens)
    centre = frames.lens_centre(frame)
    frames.check_field(frame, centre, target)
    light = frames.own_light(frame, centre)
    lensed = frames.without_lens_light(frame, centre, light)
    image, too_noisy, factor = frames.match(frame, lensed, centre, target)
    return Brought(lens, frame, centre, light, image, factor, frames.told(frame, target, too_noisy))


# --- score -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scorer:
    """A trained model of a row, and its scores of simulated images."""

    row: str
    seed: int
    model: Detector
    explain: Any  # a function of images, or None
    smooth: np.ndarray
    """Scores of validation images."""
    test: pd.DataFrame
    """Scores of test images by class and index, in the column `score`."""

    def examined(self, images: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Scores and findings of images."""
        return self.model.examined(self.explain(images) if self.explain else images)


def scorers(study: Path, dataset: str, rows: Mapping[str, Mapping[str, Any]], seeds: Sequence[int]) -> Iterator[Any]:
    """The models of a data set, one after the other: a `Scorer`, or a row of the table that says why there is none.

    Args:
        rows: see `settings.Study.scorers`.
    """

    def load(row: str, seed: int, **scoring: Any) -> Detector:
        how = rows[row]
        path = study / "models" / dataset / how["trained"] / f"seed-{seed}" / f"{how['training_set']}.safetensors"
        if not path.is_file():
            raise FileNotFoundError(f"{study} has no trained models for '{dataset}': run `make study` first ({path})")
        model, about = loading.load(path, **scoring)
        if about["diverged"]:
            raise ValueError(about["diverged"])
        return model.to(pick_device("auto"))

    for row, how in rows.items():
        for seed in seeds:
            try:
                explain = None
                if how["input"] != "images":
                    explainer, place = load(how["fitting_row"], seeds[0]), INPUTS.index(how["input"])
                    explain = lambda images, by=explainer, k=place: by.leftovers(images)[:, k]  # noqa: E731
                model = load(row, seed, **how["scoring"])
                scores, _ = conventions.read_scores(study / "scores" / dataset / f"{row}.csv")
                scores = scores.assign(score=scores[f"{how['training_set']}/{seed}"])
                smooth = scores[(scores["pool"] == "validation") & (scores["class"] == SMOOTH)]["score"].to_numpy(float)
                yield Scorer(row, seed, model, explain, smooth, scores[scores["pool"] == "test"])
            except (OSError, ValueError, KeyError, RuntimeError) as error:
                yield {"dataset": dataset, "detector": row, "seed": seed, "problem": _line(error)}


def _line(error: BaseException) -> str:
    """An error as one line that a person reads; torch names every weight that does not fit."""
    return textwrap.shorten(str(error), 300, placeholder=" ...") or type(error).__name__


def percentile(score: float, among: np.ndarray) -> float:
    """How many per cent of the scores lie below this one; ties count half."""
    return 100 * float(np.sum(among < score) + np.sum(among <= score)) / (2 * len(among))


def _scored(
    by: Scorer, found: Sequence[Brought], dataset: str, scores: np.ndarray, findings: Mapping[str, np.ndarray]
) -> list[dict[str, Any]]:
    """A row of the table for each lens, whose scores come first."""
    chances = false_alarm(scores[: len(found)], by.smooth)
    spread = by.smooth.std(ddof=1)
    return [
        {
            "lens": b.lens.label,
            "object": b.lens.object,
            "claimed": int(b.lens.claimed),
            "dataset": dataset,
            "detector": by.row,
            "seed": by.seed,
            "score": float(scores[k]),
            "percentile": percentile(scores[k], by.smooth),
            "false_alarm_probability": chances[k],
            "deviations": float(scores[k] - by.smooth.mean()) / spread if spread > 0 else np.nan,
            **{name: float(values[k]) for name, values in findings.items()},
        }
        for k, b in enumerate(found)
    ]


# --- real noise ------------------------------------------------------------------------------------------------------


def _compared(by: Scorer, like: Simulated, after: np.ndarray) -> dict[str, float]:
    """AUCs of the same test images with simulated noise and by their scores `after` that was real, [classes, n]; and
    what the noise does to the scores of smooth ones."""
    wanted = pd.MultiIndex.from_product([like.classes, like.index])
    table = by.test.set_index(["class", "index"])["score"]
    before = table.loc[wanted].to_numpy(float).reshape(len(like.classes), -1)
    both = np.stack([before, after])  # [noise, class, n]
    lens = np.tile(np.arange(before.shape[1]), len(like.classes) - 1)
    areas = metrics.areas(both[:, 0], both[:, 1:].reshape(2, -1), np.arange(before.shape[1]), lens)
    low, high = metrics.interval(areas.auc, areas.variance)
    change = areas.combined(np.array([[-1.0, 1.0]]))
    least, most, _ = metrics.difference(change.auc, change.variance)
    spread = by.smooth.std(ddof=1)
    return {
        "auc_simulated": areas.auc[0],
        "auc_simulated_low": low[0],
        "auc_simulated_high": high[0],
        "auc_real": areas.auc[1],
        "auc_real_low": low[1],
        "auc_real_high": high[1],
        "change": change.auc[0],
        "change_low": least[0],
        "change_high": most[0],
        "shift": float(np.mean(after[0] - before[0])) / spread if spread > 0 else np.nan,
    }


def _noise(b: Brought, like: Simulated) -> tuple[Noise, np.ndarray] | str:
    """The noise of a frame, and the test images with it, [classes, n, pixels, pixels]; or why there is none."""
    if len(like.index) < 2:
        return "the study has too few test images"
    try:
        noise = empirical_noise.noise_of(b.frame, b.light, b.centre, like.target, b.factor)
    except ValueError as error:
        return _line(error)
    # Twins have the same noise, as in the test pool.
    streams = [stream(like.target.seed, "real noise", b.lens.label) for _ in like.classes]
    drawn = [
        empirical_noise.observed(clean, like.exposure_s, like.sky_variance, noise, rng)
        for clean, rng in zip(like.noise_free, streams, strict=True)
    ]
    return noise, np.stack(drawn)


# --- pictures --------------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the best rows make of the real lenses: images [lenses, pixels, pixels] by their titles, and their AUCs."""

    drawn: tuple[float, dict[str, np.ndarray]] = (-1.0, {})
    mapped: tuple[float, dict[str, np.ndarray]] = (-1.0, {})

    def look(self, by: Scorer, images: np.ndarray, auc: float) -> None:
        """Keep what this row makes of the images, if it is better than those before."""
        if by.explain:
            return
        if auc > self.drawn[0] and (made := by.model.reconstructed(images)) is not None:
            self.drawn = auc, {f"rebuilt by {by.row}": made, "residual": images - made}
        if auc > self.mapped[0] and (left := by.model.leftovers(images)) is not None:
            self.mapped = auc, {f"mass by {by.row} [σ]": left[:, INPUTS.index("scan")]}
        elif auc > self.mapped[0] and (maps := by.model.maps(images)) is not None:
            self.mapped = auc, {f"anomaly, {by.row}": maps}


def picture(b: Brought, like: Simulated, made: Mapping[str, np.ndarray], words: str) -> Figure:
    """The frame, less its lens light, as the data set shows it, a simulated one, what a row makes of it, the scores."""
    target, frame = like.target, b.frame
    panels_made = list(made.items())
    half = target.camera.pixels * target.camera.pixel_scale_arcsec / 2 / frame.pixel_scale_arcsec
    view = tuple(slice(max(0, round(c - half)), round(c + half) + 1) for c in b.centre)
    raw = np.arcsinh(frame.image / (3 * np.median(frame.sigma[~frame.masked])))[view]
    arcs, top = frames.without_lens_light(frame, b.centre, b.light)[view], b.image.max()
    panels = [
        (f"{b.lens.label} (asinh)", raw, np.where(frame.masked[view], 0, raw).max()),
        ("masked, less lens light", arcs, np.percentile(arcs, 99.8)),
        (f"as in {target.dataset}", b.image, top),
        (f"one of {target.dataset}", like.example, like.example.max()),
        *((title, panel, top) for title, panel in panels_made),
    ]
    figure, axes = style.plt.subplots(1, len(panels) + 1, figsize=(2 * len(panels) + 2.4, 2.2))
    for axis, (title, panel, high) in zip(axes, panels, strict=False):
        colours, low = style.IMAGES, 0.0
        if title == "residual":
            colours, low, high = style.DIFFERENCES, -top / 4, top / 4
        elif "[σ]" in title or title.startswith("anomaly"):
            colours, low, high = style.MAPS, min(0.0, panel.min()), max(5.0, np.percentile(panel, 99.5))
            title += f" to {high:.0f}"
        axis.imshow(panel, cmap=colours, vmin=low, vmax=high)
        axis.set_title(title, fontsize=8)
    axes[-1].text(0, 1, words, fontsize=7.5, va="top", transform=axes[-1].transAxes, linespacing=1.5)
    for axis in axes:
        axis.set_axis_off()
    figure.tight_layout(pad=0.4)
    return figure


def _words(table: pd.DataFrame, best: Sequence[str]) -> str:
    """The scores of one lens, means over seeds: a line for each of the best rows."""
    means = table.groupby("detector")[["percentile", "false_alarm_probability"]].mean()
    shown = means.loc[[row for row in best if row in means.index][:NAMED]]
    lines = [f"{row}: {among:.1f} ({one_in(chance)})" for row, among, chance in shown.itertuples()]
    return "\n".join(["percentile among smooth:", *lines])


# --- the stage -------------------------------------------------------------------------------------------------------


def score_real(
    study: Path,
    dataset: str,
    lenses: Iterable[Lens],
    *,
    rows: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    table_path: Path | str,
    noise_path: Path | str,
    pictures_path: Path | str,
) -> pd.DataFrame:
    """Score lenses by all models of a data set; write their table, that of real noise, and a picture of each.

    Args:
        rows: see `settings.Study.scorers`.

    Returns the table (`tables.real.SCORE_COLUMNS`), where what could not be done has a `problem`.
    """
    like = simulated(study, dataset)
    found: list[Brought] = []
    lines: list[dict[str, Any]] = []
    for lens in lens_index.told_apart(lenses):
        try:
            found.append(brought(lens, like.target))
            say(f"{lens.label}: {found[-1].said}")
        except (OSError, ValueError, RuntimeError) as error:  # the last: of a fit that fails
            who = {"lens": lens.label, "object": lens.object, "claimed": int(lens.claimed), "dataset": dataset}
            lines.append({**who, "problem": _line(error)})
            say(f"{lens.label} cannot be scored: {_line(error)}")
    noises = [(b, _noise(b, like)) for b in found]
    compared: list[dict[str, Any]] = [
        {"dataset": dataset, "frame": b.lens.label, "problem": n} for b, n in noises if isinstance(n, str)
    ]
    lent = [(b, n[0]) for b, n in noises if not isinstance(n, str)]
    noisy = [n[1].reshape(-1, *n[1].shape[2:]) for _, n in noises if not isinstance(n, str)]
    images = np.stack([b.image for b in found]) if found else np.empty((0, 0, 0))
    seen = Seen()
    aucs: dict[str, float] = {}
    for by in scorers(study, dataset, rows, seeds) if found else ():
        if not isinstance(by, Scorer):
            lines.append(by)
            say(f"{by['detector']}, seed {by['seed']}: {by['problem']}")
            continue
        try:
            first = by.seed == seeds[0]
            # At once, as a detector fills up every batch.
            scores, findings = by.examined(np.concatenate([images, *noisy]) if first else images)
            lines += _scored(by, found, dataset, scores, findings)
            normal, odd = (by.test[(by.test["class"] == SMOOTH) == is_smooth]["score"] for is_smooth in (True, False))
            auc = float(metrics.placements(normal.to_numpy(float), odd.to_numpy(float))[0].mean())
            aucs.setdefault(by.row, auc)
            if not first:
                continue
            seen.look(by, images, auc)
            after = scores[len(images) :].reshape(len(noisy), len(like.classes), len(like.index))
            for (b, noise), those in zip(lent, after, strict=True):
                about = {"dataset": dataset, "detector": by.row, "seed": by.seed, "frame": b.lens.label}
                about |= {"tiles": noise.independent, "images": len(like.index)}
                about["noise_ratio"] = float(np.sqrt(noise.variance / np.median(like.sky_variance)))
                compared.append(about | _compared(by, like, those))
        except (ValueError, FloatingPointError) as error:
            lines.append({"dataset": dataset, "detector": by.row, "seed": by.seed, "problem": _line(error)})
            say(f"{by.row}, seed {by.seed}: {_line(error)}")
    table = pd.DataFrame(lines)
    table = table.reindex(columns=[*SCORE_COLUMNS, *(c for c in table if c not in SCORE_COLUMNS)])
    conventions.write(table_path, table)
    conventions.write(noise_path, pd.DataFrame(compared).reindex(columns=NOISE_COLUMNS))
    best = sorted(aucs, key=lambda row: -aucs[row])
    Path(pictures_path).mkdir(parents=True, exist_ok=True)
    for k, b in enumerate(found):
        made = {title: array[k] for _, kept in (seen.drawn, seen.mapped) for title, array in kept.items()}
        words = _words(table[(table["lens"] == b.lens.label) & table["score"].notna()], best)
        with style.plt.rc_context(style.STYLE):
            style.save(picture(b, like, made, words), Path(pictures_path, f"{b.lens.slug}.png"))
    return table


# --- the command line ------------------------------------------------------------------------------------------------


def _in_words(table: pd.DataFrame) -> str:
    """Percentiles and chances, means over seeds: a line for each lens and row, a column for each data set."""
    scored = table[table["score"].notna()]
    if not len(scored):
        return "nothing was scored"
    keys = ["lens", "detector", "dataset"]
    means = scored.groupby(keys, sort=False)[["percentile", "false_alarm_probability"]].mean()
    cells = means["percentile"].map("{:.1f}".format) + " (" + means["false_alarm_probability"].map(one_in) + ")"
    flags = scored.reindex(columns=[*keys, *FLAGS]).groupby(keys, sort=False)[FLAGS].max()
    for flag in FLAGS:
        cells += np.where(flags[flag] == 1, f", {flag.replace('_', ' ')}", "")
    return cells.unstack(fill_value="–").reset_index().rename_axis(columns=None).to_string(index=False)


def score_files(
    path: Path,
    folder: Path,
    datasets: Sequence[str] = (),
    *,
    pixel_scale_arcsec: float | None = None,
    claimed: Sequence[str] = (),
    annulus_arcsec: tuple[float, float] | None = None,
) -> tuple[str, list[str]]:
    """Score a frame, a folder with one, or an index by the models of a study; returns what to print, and the problems.

    Args:
        folder: the study's.
        datasets: whose models score; default: all of the study.
        pixel_scale_arcsec, claimed, annulus_arcsec: see `lens_index.lenses`.

    Raises:
        OSError, ValueError: if there is no such study or frame.
    """
    if not (folder / "config.yaml").is_file():
        raise FileNotFoundError(f"{folder} is no study: run `make study` first")
    study = settings.study(yaml.safe_load((folder / "config.yaml").read_text()))
    name = path.resolve().name if path.is_dir() else path.stem
    name = path.resolve().parent.name if name in ("data", "index") else name
    how: dict[str, Any] = {"pixel_scale_arcsec": pixel_scale_arcsec, "annulus_arcsec": annulus_arcsec}
    lenses = lens_index.lenses(path, name, claimed=claimed, **how)
    place = folder / "real" / replace(lenses[0], label=name).slug
    tables = [
        score_real(
            folder,
            dataset,
            lenses,
            rows=study.scorers(),
            seeds=study.contamination.seeds,
            table_path=place / f"{dataset}.csv",
            noise_path=place / f"{dataset}-noise.csv",
            pictures_path=place / dataset,
        )
        for dataset in datasets or study.datasets
    ]
    table = pd.concat(tables)
    words = [_in_words(table), *claims_table(table).get("words", []), CAUTION, f"Written: {place}"]
    return "\n\n".join(words), problem_lines(table)
