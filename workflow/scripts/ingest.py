"""Write one shard of the user's own images."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.config.files_dataset import Files
    from oddlens.observations.reading import kept_lists
    from oddlens.observations.sample.sample import read_sample
    from oddlens.stages.camera import read_camera
    from oddlens.stages.ingest import ingest

    names, params = snakemake.wildcards, snakemake.params
    files = Files.model_validate(params.files)
    ingest(
        snakemake.output[0],
        read_sample(files, params.seed, names.dataset, kept_lists.FOLDER),
        files=files,
        camera=read_camera(snakemake.input.camera),
        dataset=names.dataset,
        pool=names.pool,
        cls=names.cls,
        shard=int(names.shard),
        seed=params.seed,
    )
