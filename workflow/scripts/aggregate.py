"""Make the result tables."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.aggregate import aggregate

    aggregate(snakemake.input.scores, dict(snakemake.output.items()), snakemake.params.smooth)
