"""Score real lenses among simulated ones."""

from pathlib import Path

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.observations import lens_index
    from oddlens.stages.real import score_real

    params, made = snakemake.params, snakemake.output
    lenses = [
        lens
        for name, entry in params.lenses.items()
        for lens in lens_index.lenses(
            Path(entry["path"]), name, claimed=entry["claimed"], annulus_arcsec=entry["annulus_arcsec"]
        )
    ]
    score_real(
        Path(made.table).parents[1],
        snakemake.wildcards.dataset,
        lenses,
        rows=params.rows,
        seeds=params.seeds,
        table_path=made.table,
        noise_path=made.noise,
        pictures_path=made.pictures,
    )
