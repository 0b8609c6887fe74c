"""Publish the model of a row, with its card."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.publish import publish

    publish(
        snakemake.output.model,
        snakemake.output.card,
        model_path=snakemake.input.model,
        validation_paths=snakemake.input.validation,
        mini_path=snakemake.input.mini,
        scores_path=snakemake.input.scores,
        split_path=snakemake.input.split,
        auc_path=snakemake.input.auc,
        summary_path=snakemake.input.summary,
        dataset=snakemake.wildcards.dataset,
        row=snakemake.wildcards.detector,
        scoring=snakemake.params.scoring,
        smooth=snakemake.params.smooth,
        what=snakemake.params.description,
        study=snakemake.params.study,
        seed=snakemake.params.seed,
        licence=snakemake.params.licence,
    )
