"""The rows of a study as tables, figures and pages need them."""

from typing import Any

from oddlens.config.descriptions import detector_description
from oddlens.config.external_row import ROLE
from oddlens.config.study import Study
from oddlens.config.training_plan import model_row, training_sets_of


def rows(study: Study) -> dict[str, dict[str, Any]]:
    """The properties of each row: its `role`, the row that it `ablates`, its `sweep`, and what is `varied` in it."""
    own = {
        name: {"role": row.role, "ablates": row.ablates, "sweep": row.sweep, "varied": varied(study, name)}
        for name, row in study.detectors.items()
    }
    return own | {name: {"role": ROLE, "ablates": None, "sweep": None, "varied": {}} for name in study.external}


def descriptions(study: Study) -> dict[str, str]:
    """The description of each row's detector, or what computed its outside scores.

    It is not among the properties of `rows`, so that a changed docstring changes no parameter of the tables' job.
    """
    own = {name: detector_description(row.detector) for name, row in study.detectors.items()}
    return own | {name: row.description for name, row in study.external.items()}


def varied(study: Study, name: str) -> dict[str, Any]:
    """The settings of a candidate that differ among the candidates of its sweep."""
    row = study.detectors[name]
    others = [other.settings for other in study.detectors.values() if row.sweep and other.sweep == row.sweep]
    return {key: value for key, value in row.settings.items() if any(other[key] != value for other in others)}


def scorers(study: Study) -> dict[str, dict[str, Any]]:
    """The rows that can score images whose truth is unknown.

    For each row: the row whose models it has (`trained`), the training set by which it is judged (`training_set`), the
    settings that only its score reads (`scoring`), what it gets (`input`), and the row whose lens fit makes its
    residual inputs (`fitting_row`).
    """
    return {
        name: {
            "trained": model_row(study, name),
            "training_set": training_sets_of(study, name)[0],
            "scoring": row.scoring,
            "input": row.input,
            "fitting_row": study.fitting_row,
        }
        for name, row in study.detectors.items()
        if row.needs != "truth"
    }
