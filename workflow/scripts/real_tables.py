"""Join what was found of real lenses on all data sets."""

from oddlens.provenance.job import job

with job(snakemake):
    from oddlens.results.tables import conventions, real

    made, scored = snakemake.output, real.joined(snakemake.input.scores)
    conventions.write(made.real, scored)
    conventions.write(made.real_noise, real.joined(snakemake.input.noise))
    conventions.write(made.real_claims, real.claims_table(scored))
