"""Publish the first model of a row, with its card."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.stages.publish import Publication, StudyFiles, publish

    files, params = snakemake.input, snakemake.params
    publish(
        snakemake.output.model,
        snakemake.output.card,
        StudyFiles(
            model=files.model,
            validation=files.validation,
            mini=files.mini,
            scores=files.scores,
            split=files.split,
            auc=files.auc,
            summary=files.summary,
        ),
        Publication(
            dataset=snakemake.wildcards.dataset,
            row=snakemake.wildcards.detector,
            scoring=params.scoring,
            smooth=params.smooth,
            description=params.description,
            study=params.study,
            seed=params.seed,
            licence=params.licence,
        ),
    )
