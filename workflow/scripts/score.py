"""Score the test and validation images with all models of one row."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.score import score

    score(
        snakemake.input.models,
        snakemake.input.shards,
        scores_path=snakemake.output.scores,
        findings_path=snakemake.output.findings,
        pixels_path=snakemake.output.pixels,
        samples_path=snakemake.output.samples,
        examples_path=snakemake.output.examples,
        row=snakemake.wildcards.detector,
        trained=snakemake.params.trained,
        input=snakemake.params.input,
        residual_paths=snakemake.input.residual_inputs,
        fitting_model_path=snakemake.input.fitting_model or None,
        scoring=snakemake.params.scoring,
        dataset=snakemake.wildcards.dataset,
        smooth=snakemake.params.smooth,
        seed=snakemake.params.seed,
        threads=snakemake.threads,
    )
