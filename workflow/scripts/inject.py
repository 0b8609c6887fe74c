"""Add the change that masses would make to test images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.inject import Masses, inject

    inject(
        snakemake.output[0],
        snakemake.input.shards,
        masses=Masses(**snakemake.params.masses),
        model=snakemake.params.model,
        simulation=snakemake.params.simulation,
        images=snakemake.params.images,
        dataset=snakemake.wildcards.dataset,
        seed=snakemake.params.seed,
    )
