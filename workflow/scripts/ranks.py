"""Draw the critical-difference diagram of the study."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.results.figures.ranks import draw_ranks

    draw_ranks(snakemake.output[0], ranks=snakemake.input.ranks, wilcoxon=snakemake.input.wilcoxon)
