"""Join the tables of real lenses of all data sets."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from oddlens.results.tables.real import claims_table, joined
from oddlens.results.tables.result_files import write_result


def real_tables(
    outputs: Mapping[str, str | Path], *, scores: Iterable[str | Path], noise: Iterable[str | Path]
) -> None:
    """Write `real`, `real_noise` and `real_claims`.

    Args:
        outputs: the paths of the three tables, by name.
        scores: of each data set the table of scores of real lenses; `noise` likewise that of real noise.
    """
    scored = joined(scores, "real")
    write_result(outputs["real"], scored)
    write_result(outputs["real_noise"], joined(noise, "real_noise"))
    write_result(outputs["real_claims"], claims_table(scored))
