"""Replace the images of one shard by what a fit of physics leaves over of them."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.explain import explain

    explain(
        snakemake.input.model,
        snakemake.input.shard,
        dict(snakemake.output.items()),
        threads=snakemake.threads,
    )
