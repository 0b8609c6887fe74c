"""Train one detector on all training sets of one seed."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.lensing.camera import with_psf_itself
    from oddlens.lensing.source_images import without_folders
    from oddlens.stages.train import TrainedRow, train

    names, params = snakemake.wildcards, snakemake.params
    # Models are used where the files of a point-spread function and of galaxies are missing.
    simulation = params.simulation and without_folders(with_psf_itself(params.simulation))
    train(
        dict(zip(params.training_sets, snakemake.output.models, strict=True)),
        snakemake.output.losses,
        row=TrainedRow(names.detector, **params.row, labels=params.labels, simulation=simulation),
        dataset=names.dataset,
        shard_paths=snakemake.input.shards,
        split_path=snakemake.input.splits,
        seed=params.seed,
        smooth=params.smooth,
        replica=int(names.replica),
        source=params.source,
        threads=snakemake.threads,
    )
