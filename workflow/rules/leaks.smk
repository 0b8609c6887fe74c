LEAK_TABLES = {"leaks": "leaks"} if SAMPLES else {}


# Leaks of a data set of the user's own images: duplicates across pools, and what tells its classes apart.
rule leaks:
    input:
        lambda wildcards: shards(wildcards.dataset, *POOLS[wildcards.dataset].counts),
    output:
        results("leaks/{dataset}.csv"),
    log:
        log_of("leaks/{dataset}"),
    benchmark:
        benchmark_of("leaks/{dataset}")
    wildcard_constraints:
        dataset=any_of(SAMPLES),
    conda:
        "../../envs/train.yaml"
    threads: 2
    resources:
        mem_mb=leaks_memory,
        runtime=short_runtime,
    params:
        smooth=SMOOTH,
        nuisance=lambda wildcards: STUDY.of_files[wildcards.dataset].files.nuisance,
        source=fingerprint("oddlens.stages.leaks"),
    script:
        "../scripts/leaks.py"


# The leaks of all data sets of the user's own images.
rule leak_table:
    input:
        expand(results("leaks/{dataset}.csv"), dataset=list(SAMPLES)),
    output:
        report(
            results("tables/leaks.csv"),
            caption="../report/leaks.rst",
            category="Tables",
            labels={"table": "leaks"},
        ),
    log:
        log_of("leak_table"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.stages.leak_table"),
    script:
        "../scripts/leak_table.py"
