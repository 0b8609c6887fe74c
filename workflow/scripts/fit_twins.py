"""Simulate and fit some twins of a real lens."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.observations.lens_index import labelled_lens
    from oddlens.stages.fit_twins import write_twins

    params, names = snakemake.params, snakemake.wildcards
    write_twins(
        snakemake.output[0],
        labelled_lens(names.lens, **params.reading),
        Path(snakemake.input.fit),
        seed=params.seed,
        numbers=params.numbers,
        planted=names.kind == "planted",
        radius_arcsec=params.radius,
        threads=snakemake.threads,
    )
