"""Collect what is true of the images that are scored."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.truth import truth

    truth(snakemake.output[0], snakemake.input, snakemake.wildcards.dataset)
