"""Count how often fits without the truth reach the optimum of fits that start at the truth."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.fit_convergence import fit_convergence

    names = snakemake.wildcards
    fit_convergence(
        snakemake.output[0],
        snakemake.input.model,
        snakemake.input.shards,
        dataset=names.dataset,
        row=names.detector,
        images=snakemake.params.images,
        threads=snakemake.threads,
    )
