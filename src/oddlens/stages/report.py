"""Write the report of a study: one HTML file that embeds its tables and figures."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

import oddlens
from oddlens.results.pages.completeness import completeness_section
from oddlens.results.pages.detection import descriptions_by_role
from oddlens.results.pages.follow_up import follow_up_section
from oddlens.results.pages.formatting import embedded_image, prior_text, signed
from oddlens.results.pages.literature import PUBLISHED
from oddlens.results.pages.own_images import Sample, sample_sections
from oddlens.results.pages.real import real_section
from oddlens.results.pages.rendering import write_page
from oddlens.results.pages.study_report import study_report_facts
from oddlens.results.tables.result_files import read_result
from oddlens.results.tables.thresholds import CHANCE_MARGIN
from oddlens.statistics.false_alarm import EXTRAPOLATION

CONSTANTS: dict[str, Any] = {
    "prior": prior_text,
    "signed": signed,
    "chance_margin": CHANCE_MARGIN,
    "floor": EXTRAPOLATION,
    "literature": PUBLISHED,
    "version": oddlens.__version__,
}
"""What the template has in every study."""


def report(
    path: str | Path,
    *,
    tables: Mapping[str, str | Path],
    figures: Mapping[str, Mapping[str, str | Path]],
    ranks: str | Path,
    noise: str | Path,
    real: Mapping[str, str | Path],
    real_images: Mapping[str, str | Path],
    follow_up: Iterable[tuple[str | Path, str | Path]],
    completeness: Mapping[str, str | Path],
    captions: Mapping[str, str | Path],
    study: dict[str, Any],
    rows: Mapping[str, Mapping],
    descriptions: Mapping[str, str],
    classes: Mapping[str, str],
    provenance: Mapping[str, Iterable[str]],
    devices: Iterable[str],
    samples: Mapping[str, Sample] = MappingProxyType({}),
    left_out: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> None:
    """Write the report.

    Args:
        path: of the page.
        tables: the paths of the result tables, by name.
        figures: for each data set the paths of its figures, by name.
        ranks: the path of the critical-difference diagram; `noise`: of the AUC against noise.
        real: the paths of the tables of real lenses, by name, if there are any.
        real_images: for each data set the folder with the figures of real lenses.
        follow_up: for each follow-up fit the paths of its table and its figure.
        completeness: the paths of the tables of injected masses, by name, and of their `figure`, if there are any.
        captions: the paths of the captions of figures, plain text, by name.
        study: the validated config as plain data.
        rows: for each detector row its `role`, the row it `ablates`, its `sweep`, and what is `varied` in it.
        descriptions: the description of each row; `classes`: of each class.
        provenance: the `commits`, `versions` and `machines` of all jobs behind the report.
        devices: the devices that the models were trained on.
        samples: for each data set of the user's own images the arguments of `own_images.sample_section`.
        left_out: for each data set the rows that it leaves out, each with the reason.
    """
    read = {name: read_result(file) for name, file in tables.items() if name != "comparison"}
    write_page(
        path,
        "report.html.j2",
        **CONSTANTS,
        **_config_facts(study),
        **{"provenance": provenance, "devices": list(devices), "classes": classes},
        descriptions=descriptions_by_role(rows, descriptions),
        figures={name: {kind: embedded_image(file) for kind, file in files.items()} for name, files in figures.items()},
        ranks=embedded_image(ranks),
        noise=embedded_image(noise) if len(read["noise"]) else None,
        real=real_section(real, real_images),
        follow_up=follow_up_section(follow_up),
        own_images=sample_sections(samples),
        left_out={name: reasons for name, reasons in left_out.items() if reasons},
        completeness=completeness_section(completeness),
        captions={figure: Path(file).read_text().strip() for figure, file in captions.items()},
        **study_report_facts(read, rows, study),
    )


def _config_facts(study: dict[str, Any]) -> dict[str, Any]:
    """The config, as data and as text, and its number of seeds."""
    text = yaml.safe_dump(study, sort_keys=False, allow_unicode=True)
    return {"study": study, "config": text, "seeds": len(study["contamination"]["seeds"])}
