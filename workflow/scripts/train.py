"""Train one detector on all training sets of one seed."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.train import TrainedRow, train

    names, params = snakemake.wildcards, snakemake.params
    train(
        dict(zip(params.training_sets, snakemake.output.models, strict=True)),
        snakemake.output.losses,
        row=TrainedRow(names.detector, **params.row, labels=params.labels, simulation=params.simulation),
        dataset=names.dataset,
        shard_paths=snakemake.input.shards,
        split_path=snakemake.input.splits,
        seed=params.seed,
        smooth=params.smooth,
        replica=int(names.replica),
        source=params.source,
        threads=snakemake.threads,
    )
