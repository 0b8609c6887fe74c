"""Score the test and validation images with all models of one row."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.score import ResidualShards, ScorePaths, score

    files, params = snakemake.input, snakemake.params
    score(
        ScorePaths(**dict(snakemake.output.items())),
        model_paths=files.models,
        shard_paths=files.shards,
        residuals=ResidualShards(params.input, files.residual_inputs, files.fitting_model)
        if files.fitting_model
        else None,
        row=snakemake.wildcards.detector,
        trained=params.trained,
        scoring=params.scoring,
        dataset=snakemake.wildcards.dataset,
        smooth=params.smooth,
        seed=params.seed,
        threads=snakemake.threads,
    )
