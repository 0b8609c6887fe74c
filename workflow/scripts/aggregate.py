"""Make the result tables."""

from itertools import batched

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.aggregate import aggregate

    files, params = snakemake.input, snakemake.params
    aggregate(
        dict(snakemake.output.items()),
        scores=dict(zip(params.datasets, batched(files.scores, len(params.rows)), strict=True)),
        truths=dict(zip(params.datasets, files.truths, strict=True)),
        findings=dict(zip(params.datasets, batched(files.findings, len(params.rows)), strict=True)),
        pixels=dict(zip(params.datasets, batched(files.pixels, len(params.rows)), strict=True)),
        samples=dict(zip(params.datasets, batched(files.samples, len(params.rows)), strict=True)),
        fit_convergence=files.fit_convergence,
        rows=params.rows,
        reproduces=params.reproduces,
        exposures=params.exposures,
        smooth=params.smooth,
    )
