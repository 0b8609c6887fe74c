"""Estimate the camera of the user's own images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.config.files_dataset import Files
    from oddlens.observations.reading import kept_lists
    from oddlens.observations.sample.sample import read_sample
    from oddlens.stages.camera import camera

    params, dataset = snakemake.params, snakemake.wildcards.dataset
    files = Files.model_validate(params.files)
    camera(
        snakemake.output[0],
        read_sample(files, params.seed, dataset, kept_lists.FOLDER),
        files,
        dataset,
        params.assumed_scale_arcsec,
    )
