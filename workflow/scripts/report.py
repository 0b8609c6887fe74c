"""Write the report."""

from itertools import batched

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.provenance import versions
    from oddlens.report import report

    params, kinds = snakemake.params, snakemake.params.figures
    files = batched(snakemake.input.figures, len(kinds))
    report(
        snakemake.output[0],
        tables=dict(zip(("auc", "comparison", "published"), snakemake.input.tables, strict=True)),
        figures={name: dict(zip(kinds, batch, strict=True)) for name, batch in zip(params.study["datasets"], files, strict=True)},
        study=params.study,
        versions=versions("snakemake", "numpy", "pandas", "scikit-learn", "matplotlib"),
    )
