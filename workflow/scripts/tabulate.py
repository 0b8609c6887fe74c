"""Make the regression tables."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.tabulate import tabulate

    files, params = snakemake.input, snakemake.params
    tabulate(
        dict(snakemake.output.items()),
        estimates={dataset: files[f"estimates_{dataset}"] for dataset in params.datasets},
        scores={dataset: files[f"scores_{dataset}"] for dataset in params.datasets},
        rows=params.rows,
        smooth=params.smooth,
    )
