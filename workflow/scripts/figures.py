"""Draw the figures of one data set."""

from itertools import batched

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.figures import draw

    params, files = snakemake.params, snakemake.input
    draw(
        dict(snakemake.output.items()),
        dataset=snakemake.wildcards.dataset,
        smooth=params.smooth,
        rows=params.rows,
        tables=dict(zip(params.tables, files.tables, strict=True)),
        scores=dict(zip(params.rows, files.scores, strict=True)),
        examples=dict(zip(params.rows, files.examples, strict=True)),
        losses=dict(zip(params.own_models, batched(files.losses, params.replicas), strict=True)),
    )
