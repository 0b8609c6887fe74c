"""Score real lenses by the models of a study, and compare detectors under simulated and real noise.

Each lens is matched to a data set (`oddlens.observations.matching`) and scored by all its detectors, whose scores of
simulated smooth lenses are the reference. The same detectors score simulated lenses with the empirical noise of the
frames (`oddlens.observations.empirical_noise`). Lenses and models that cannot be used are reported in one line each,
and the others are processed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oddlens.detectors.evaluation.best_images import BestImages
from oddlens.detectors.evaluation.row_models import RowModel, load_row_model
from oddlens.observations.hints import CONFIG_WORDING
from oddlens.observations.lens_index import LensEntry, with_unique_labels
from oddlens.observations.real_lenses import RealLens, match_lenses, one_line
from oddlens.observations.simulated_set import NoisyTwins, SimulatedSet
from oddlens.results.figures import style
from oddlens.results.figures.real import derived_panel, percentiles_text, real_lens_figure
from oddlens.results.tables.real import NOISE_COLUMNS
from oddlens.results.tables.real_noise import compare_noise
from oddlens.results.tables.real_scores import identity, score_lines, scores_table
from oddlens.results.tables.result_files import write_result


@dataclass
class RealScores:
    """Lines of the tables of a data set, collected model by model."""

    simulated: SimulatedSet
    lenses: list[RealLens]
    twins: list[NoisyTwins]
    lines: list[dict[str, Any]]
    """Of the table of scores."""
    noise_lines: list[dict[str, Any]]
    """Of the comparison of simulated and real noise."""
    aucs: dict[str, float] = field(default_factory=dict)
    """The AUC of each row, by its first model."""
    best_images: BestImages = field(default_factory=BestImages)

    @property
    def dataset(self) -> str:
        """The name of the data set."""
        return self.simulated.target.dataset

    def add(self, model: RowModel, first: bool) -> None:
        """Score the lenses by a model, and with the `first` model of a row also the test images with real noise.

        Raises:
            ValueError, FloatingPointError: if the model cannot score them.
        """
        images = np.stack([lens.matched.image for lens in self.lenses])
        noisy = [twins.images.reshape(-1, *twins.images.shape[2:]) for twins in self.twins]
        # Everything in one call, because a detector fills up its last batch.
        scores, findings = model.scores_and_findings(np.concatenate([images, *noisy]) if first else images)
        entries, count = [lens.entry for lens in self.lenses], len(self.lenses)
        about: dict[str, Any] = {"dataset": self.dataset, "detector": model.row, "seed": model.seed}
        self.lines += score_lines(entries, scores[:count], findings, model.smooth_scores, **about)
        auc = model.auc()
        self.aucs.setdefault(model.row, auc)
        if first:
            self.best_images.update(model, images, auc)
            self._compare_noise(model, scores[count:])

    def _compare_noise(self, model: RowModel, scores: np.ndarray) -> None:
        """Add a line for each frame whose noise the test images got."""
        if not self.twins:
            return
        simulated = self.simulated
        scatter = model.smooth_scores.std(ddof=1)
        before = model.scores_of(simulated.classes, simulated.index)
        for twins, after in zip(self.twins, scores.reshape(len(self.twins), *before.shape), strict=True):
            line = {"dataset": self.dataset, "detector": model.row, "seed": model.seed, "frame": twins.frame}
            line |= {"tiles": twins.noise.independent_tiles, "images": len(simulated.index)}
            line["noise_ratio"] = float(np.sqrt(twins.noise.variance / np.median(simulated.sky_variance)))
            self.noise_lines.append(line | compare_noise(before, after, scatter))

    def add_problem(self, row: str, seed: int, error: Exception) -> None:
        """Add a line that says why a model cannot score the lenses."""
        self.lines.append({"dataset": self.dataset, "detector": row, "seed": seed, "problem": one_line(error)})

    def write_figures(self, folder: Path, table: pd.DataFrame) -> None:
        """Write a figure of each lens; `table` is the table of scores."""
        best_rows = sorted(self.aucs, key=lambda row: -self.aucs[row])
        folder.mkdir(parents=True, exist_ok=True)
        for k, lens in enumerate(self.lenses):
            brightness = lens.matched.image.max()
            panels = [derived_panel(d.title, d.kind, d.images[k], brightness) for d in self.best_images.all()]
            text = percentiles_text(table[(table["lens"] == lens.label) & table["score"].notna()], best_rows)
            with style.plt.rc_context(style.STYLE):
                style.save(real_lens_figure(lens, self.simulated, panels, text), folder / f"{lens.entry.slug}.png")


def score_real(
    study: Path,
    dataset: str,
    entries: Iterable[LensEntry],
    *,
    rows: Mapping[str, Mapping[str, Any]],
    seeds: Sequence[int],
    table_path: Path | str,
    noise_path: Path | str,
    figures_path: Path | str,
    wording: Mapping[str, str] = CONFIG_WORDING,
) -> pd.DataFrame:
    """Score lenses by all models of a data set. Write the scores, the comparison of noise, and a figure of each lens.

    Args:
        study: its folder.
        rows: see `oddlens.config.comparison.scorers`.
        seeds: of the models; those of the first seed score the test images with real noise, and make the figures.
        wording: see `oddlens.observations.hints`.

    Returns the table of scores (`tables.real.SCORE_COLUMNS`). Lenses and models that cannot be used have a `problem`.
    """
    simulated = SimulatedSet.read(study, dataset)
    lenses, failures = match_lenses(with_unique_labels(entries), simulated.target, wording)
    lines = [identity(entry, dataset) | {"problem": problem} for entry, problem in failures]
    twins, noise_problems = _noisy_twins(simulated, lenses)
    results = RealScores(simulated, lenses, twins, lines, noise_problems)
    for row, seed in [(row, seed) for row in rows for seed in seeds] if lenses else []:
        try:
            model = load_row_model(study, dataset, rows, row, seed=seed, fitting_seed=seeds[0])
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            results.add_problem(row, seed, error)
            continue
        try:
            results.add(model, first=seed == seeds[0])
        except (ValueError, FloatingPointError) as error:
            results.add_problem(row, seed, error)
    table = scores_table(results.lines)
    write_result(table_path, table)
    write_result(noise_path, pd.DataFrame(results.noise_lines).reindex(columns=NOISE_COLUMNS))
    results.write_figures(Path(figures_path), table)
    return table


def _noisy_twins(simulated: SimulatedSet, lenses: Iterable[RealLens]) -> tuple[list[NoisyTwins], list[dict[str, Any]]]:
    """The test images with the noise of each frame, and a line with the problem of each frame that has no noise."""
    twins: list[NoisyTwins] = []
    problems: list[dict[str, Any]] = []
    for lens in lenses:
        try:
            twins.append(simulated.with_noise_of(lens))
        except ValueError as error:
            problems.append({"dataset": simulated.target.dataset, "frame": lens.label, "problem": one_line(error)})
    return twins, problems
