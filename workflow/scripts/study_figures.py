"""Draw the figures of all data sets together."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.study_figures import study_figures

    files = snakemake.input
    study_figures(
        dict(snakemake.output.items()),
        ranks=files.ranks,
        wilcoxon=files.wilcoxon,
        noise=files.noise,
        rows=snakemake.params.rows,
    )
