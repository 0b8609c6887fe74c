"""Write one data set as PNG and FITS files."""

from oddlens.job import job

with job(snakemake):
    from oddlens.export import export

    export(
        snakemake.output[0],
        dataset=snakemake.wildcards.dataset,
        smooth=snakemake.params.smooth,
        train=snakemake.input.train,
        others=snakemake.input.others,
    )
