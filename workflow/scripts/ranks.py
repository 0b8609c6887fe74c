"""Draw the critical-difference diagram of the study."""

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.figures.ranks import draw_ranks

    draw_ranks(snakemake.output[0], ranks=snakemake.input.ranks, wilcoxon=snakemake.input.wilcoxon)
