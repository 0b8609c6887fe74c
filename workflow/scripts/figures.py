"""Draw the figures of one data set."""

from itertools import batched

from oddlens.progress import log_to

with log_to(snakemake.log[0]):
    from oddlens.figures import draw

    detectors, files = snakemake.params.detectors, snakemake.input
    draw(
        dict(snakemake.output.items()),
        dataset=snakemake.wildcards.dataset,
        smooth=snakemake.params.smooth,
        auc_path=files.auc,
        scores=dict(zip(detectors, files.scores, strict=True)),
        examples=dict(zip(detectors, files.examples, strict=True)),
        losses=dict(zip(detectors, batched(files.losses, snakemake.params.replicas), strict=True)),
    )
