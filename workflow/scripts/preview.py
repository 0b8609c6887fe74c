"""Draw the sheet of twins of one data set."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.preview import preview

    preview(snakemake.output[0], snakemake.input, dataset=snakemake.wildcards.dataset, smooth=snakemake.params.smooth)
