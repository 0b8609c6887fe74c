"""Score real lenses of any origin by the models of a study that has run (`oddlens.stages.real`)."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import yaml

from oddlens.config import comparison
from oddlens.config.study import parse_study
from oddlens.files.io_errors import explain_io_errors
from oddlens.files.names import shown_name
from oddlens.observations.hints import COMMAND_WORDING
from oddlens.observations.lens_index import COMMON_NAMES, input_files, own_name, part_of, read_lenses, slug
from oddlens.observations.matching import CAUTION
from oddlens.results.tables.real import claims_table, problem_lines
from oddlens.results.tables.real_scores import scores_text
from oddlens.schema.config_errors import nearest
from oddlens.stages.real import score_real


def score_files(
    path: Path,
    folder: Path,
    datasets: Sequence[str] = (),
    *,
    pixel_scale_arcsec: float | None = None,
    claimed: Sequence[str] = (),
    annulus_arcsec: tuple[float, float] | None = None,
) -> tuple[str, list[str]]:
    """Score an image, a folder with one, or an index by the models of a study.

    The tables and figures are written to the folder `real` of the study, under `result_name`. Those of a data set by
    which nothing could be scored are not written.

    Args:
        folder: the study's.
        datasets: whose models score; default: all of the study.
        pixel_scale_arcsec, claimed, annulus_arcsec: see `lens_index.read_lenses`.

    Returns a text to print, and one line for each problem.

    Raises:
        OSError, ValueError: if the study or the image does not exist, or the index cannot be read.
    """
    if not (folder / "config.yaml").is_file():
        raise FileNotFoundError(
            f"{folder} is not a study, it has no config.yaml: give its folder by --study, or run a study first "
            "(docs/studies.md)"
        )
    study = parse_study(yaml.safe_load((folder / "config.yaml").read_text()))
    if unknown := [dataset for dataset in datasets if dataset not in study.simulated]:
        raise ValueError(f"{folder} has no data set '{unknown[0]}'. {nearest(unknown[0], study.simulated)}")
    how: dict[str, Any] = {"pixel_scale_arcsec": pixel_scale_arcsec, "annulus_arcsec": annulus_arcsec}
    entries = read_lenses(path, own_name(path), claimed=claimed, **how)
    out = folder / "real" / result_name(path, how | {"claimed": sorted(claimed)})
    tables = []
    with explain_io_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".", dir=out.parent) as temporary:
        new = Path(temporary)
        for dataset in dict.fromkeys(datasets or study.simulated):
            table = score_real(
                folder,
                dataset,
                entries,
                rows=comparison.scorers(study),
                seeds=study.contamination.seeds,
                table_path=new / f"{dataset}.csv",
                noise_path=new / f"{dataset}-noise.csv",
                figures_path=new / dataset,
                wording=COMMAND_WORDING,
            )
            tables.append(table)
            if table["score"].notna().any():
                _keep(new, out, dataset)
    table = pd.concat(tables)
    written = f"Written: {shown_name(out)}" if table["score"].notna().any() else "Nothing was written."
    texts = [scores_text(table), *claims_table(table).get("summary", []), CAUTION, written]
    return "\n\n".join(texts), problem_lines(table)


def result_name(path: Path, options: Mapping[str, Any]) -> str:
    """The name of the folder for the results of an image or an index: the end of its path, and a digest.

    The digest is of the path, of the content of the files and of the options. So no result overwrites that of another
    lens, or of the same one with other files or options.
    """
    files, part = input_files(path), part_of(path)
    own = files[0].resolve()
    digest = hashlib.sha256(os.fsencode(f"{own}{part}") + json.dumps(options, sort_keys=True).encode())
    for file in filter(os.path.isfile, files):
        with open(file, "rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    parts = [own.parent.name, *([] if own.stem in COMMON_NAMES else [own.stem])]
    return f"{slug('_'.join(parts) + part)}-{digest.hexdigest()[:8]}"


def _keep(new: Path, out: Path, dataset: str) -> None:
    """Move the results of a data set to their folder, in place of earlier ones."""
    out.mkdir(exist_ok=True)
    shutil.rmtree(out / dataset, ignore_errors=True)
    for name in (dataset, f"{dataset}.csv", f"{dataset}-noise.csv"):
        (new / name).replace(out / name)
