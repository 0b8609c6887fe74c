"""Score injected images with the models of one row."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.score_injected import score_injected

    files, params = snakemake.input, snakemake.params
    score_injected(
        snakemake.output[0],
        injected_path=files.injected,
        model_paths=files.models,
        residuals=(params.input, files.fitting_model) if files.fitting_model else None,
        row=snakemake.wildcards.detector,
        trained=params.trained,
        scoring=params.scoring,
        threads=snakemake.threads,
    )
