"""Write the report."""

from itertools import batched

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.provenance import versions
    from oddlens.report import report

    params, kinds = snakemake.params, snakemake.params.figures
    by_dataset = zip(params.study["datasets"], batched(snakemake.input.figures, len(kinds)), strict=True)
    report(
        snakemake.output[0],
        tables=dict(zip(("auc", "comparison", "published"), snakemake.input.tables, strict=True)),
        figures={dataset: dict(zip(kinds, files, strict=True)) for dataset, files in by_dataset},
        study=params.study,
        detectors=params.detectors,
        classes=params.classes,
        versions=versions("snakemake", "numpy", "pandas", "scikit-learn", "matplotlib"),
    )
