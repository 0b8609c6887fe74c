"""Replace the images of one shard by what a fit of physics leaves over of them."""

from oddlens.job import job

with job(snakemake):
    from oddlens.explain import explain

    explain(
        snakemake.input.model,
        snakemake.input.shard,
        dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
