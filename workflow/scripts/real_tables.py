"""Join what was found of real lenses on all data sets."""

from oddlens.job import job

with job(snakemake):
    from oddlens import tables
    from oddlens.tables import real

    made, scored = snakemake.output, real.joined(snakemake.input.scores)
    tables.write(made.real, scored)
    tables.write(made.real_noise, real.joined(snakemake.input.noise))
    tables.write(made.real_claims, real.claims_table(scored))
