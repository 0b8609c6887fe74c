# Real lenses among simulated ones, and simulated ones with real noise: one job a data set loads each model once.
rule real:
    input:
        files=real_files,
        models=real_models,
        scores=expand(results("scores/{{dataset}}/{detector}.csv"), detector=SCORERS),
        validation=validation_shards,
        test=first_test_shards,
    output:
        table=results("real/{dataset}.csv"),
        noise=results("real/{dataset}-noise.csv"),
        pictures=report(
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
        lenses={name: entry.plain() for name, entry in STUDY.real.items()},
        rows=SCORERS,
        seeds=REPLICAS,
        source=fingerprint("oddlens.stages.real", *DETECTOR_MODULES),
    script:
        "../scripts/real.py"


# All data sets together.
rule real_tables:
    input:
        scores=expand(results("real/{dataset}.csv"), dataset=STUDY.datasets),
        noise=expand(results("real/{dataset}-noise.csv"), dataset=STUDY.datasets),
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
        source=fingerprint("oddlens.results.tables.real"),
    script:
        "../scripts/real_tables.py"
