"""Make the tables of the regression."""

from itertools import batched

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.tabulate import tabulate

    files, params = snakemake.input, snakemake.params
    per_dataset = len(files.estimates) // len(params.datasets)
    tabulate(
        dict(snakemake.output.items()),
        estimates=dict(zip(params.datasets, batched(files.estimates, per_dataset), strict=True)),
        scores=dict(zip(params.datasets, batched(files.scores, len(params.rows)), strict=True)),
        rows=params.rows,
        smooth=params.smooth,
    )
