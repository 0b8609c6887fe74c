"""Replace the images of one shard by the residuals of lens fits."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.residual_inputs import residual_inputs

    residual_inputs(
        snakemake.input.model,
        snakemake.input.shard,
        dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
