"""Make the tables and the figure of completeness."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.completeness import completeness

    completeness(
        dict(snakemake.output.items()),
        injected=snakemake.input.injected,
        scores=snakemake.input.scores,
        rows=snakemake.params.rows,
    )
