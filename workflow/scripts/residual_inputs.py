"""Replace the images of one shard by what a fit of physics leaves over of them."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.residual_inputs import residual_inputs

    residual_inputs(
        snakemake.input.model,
        snakemake.input.shard,
        dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
