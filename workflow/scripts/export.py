"""Write one data set as PNG and FITS files."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.export import export

    export(
        snakemake.output[0],
        dataset=snakemake.wildcards.dataset,
        smooth=snakemake.params.smooth,
        train=snakemake.input.train,
        others=snakemake.input.others,
    )
