"""Count how often blind fits end where fits from the truth do."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.starts import starts

    names = snakemake.wildcards
    starts(
        snakemake.output[0],
        snakemake.input.model,
        snakemake.input.shards,
        dataset=names.dataset,
        row=names.detector,
        images=snakemake.params.images,
        threads=snakemake.threads,
    )
