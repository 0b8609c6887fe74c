# The rows that score real lenses, and their models.
SCORERS = comparison.scorers(STUDY)
REAL_TABLES = {
    "real": "real lenses",
    "real_noise": "real noise",
    "real_claims": "ranks of claimed lenses",
}


# Real lenses among simulated ones, and simulated ones with real noise. One job a data set loads each model once.
rule real:
    input:
        files=all_real_lens_files(),
        models=lambda wildcards: [
            model(
                scorer["training_set"], wildcards.dataset, scorer["trained"], replica
            )
            for scorer in SCORERS.values()
            for replica in REPLICAS
        ],
        scores=[results(f"scores/{{dataset}}/{row}.csv") for row in SCORERS],
        validation=lambda wildcards: shards(wildcards.dataset, "validation"),
        test=first_test_shards,
    output:
        table=results("real/{dataset}.csv"),
        noise=results("real/{dataset}-noise.csv"),
        images=report(
            directory(results("real/{dataset}")),
            patterns=["{lens}.png"],
            caption="../report/figures/real.rst",
            category="Real lenses",
            labels={"data set": "{dataset}", "lens": "{lens}"},
        ),
    log:
        log_of("real/{dataset}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        lenses={
            name: {"path": entry.path, **entry.reading}
            for name, entry in STUDY.real.items()
        },
        rows=SCORERS,
        seeds=REPLICAS,
        source=fingerprint(
            "oddlens.stages.real", *sorted({detector_module(row) for row in DETECTORS})
        ),
    script:
        "../scripts/real.py"


# The tables of real lenses, all data sets together.
rule real_tables:
    input:
        scores=[results(f"real/{dataset}.csv") for dataset in SIMULATED],
        noise=[results(f"real/{dataset}-noise.csv") for dataset in SIMULATED],
    output:
        **{
            table: report(
                results(f"tables/{table}.csv"),
                caption=f"../report/{table}.rst",
                category="Tables",
                labels={"table": title},
            )
            for table, title in REAL_TABLES.items()
        },
    log:
        log_of("real/tables"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.stages.real_tables"),
    script:
        "../scripts/real_tables.py"
