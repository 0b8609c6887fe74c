"""All result tables of a study, from its score tables."""

from pathlib import Path

from oddlens import tables


def aggregate(scores: list[str], outputs: dict[str, str | Path], smooth: str) -> None:
    """Write `auc`, `comparison` and `published`; see `oddlens.tables`."""
    auc = tables.auc_table(scores, smooth)
    tables.write(outputs["auc"], auc)
    tables.write(outputs["comparison"], tables.comparison_table(auc))
    tables.write(outputs["published"], tables.published_table(auc))
