# Deep regression: numbers of lens and dark matter from images, beside the detectors and on the same shards.
rule regress:
    input:
        regression_shards,
    output:
        results("regression/{dataset}/{estimator}.safetensors"),
    log:
        log_of("regress/{dataset}/{estimator}"),
    wildcard_constraints:
        estimator=any_of(STUDY.regression),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=long_runtime,
        gpu=1,
    params:
        row=estimator_row,
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.regress"),
    script:
        "../scripts/regress.py"


rule estimate:
    input:
        model=results("regression/{dataset}/{estimator}.safetensors"),
        shards=estimated_shards,
    output:
        results("regression/{dataset}/{estimator}.h5"),
    log:
        log_of("estimate/{dataset}/{estimator}"),
    wildcard_constraints:
        estimator=any_of(STUDY.regression),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        source=fingerprint("oddlens.stages.estimate"),
    script:
        "../scripts/estimate.py"


rule tabulate:
    input:
        estimates=expand(
            results("regression/{dataset}/{estimator}.h5"),
            dataset=STUDY.datasets,
            estimator=STUDY.regression,
        ),
        scores=expand(
            results("scores/{dataset}/{detector}.csv"),
            dataset=STUDY.datasets,
            detector=DETECTORS,
        ),
    output:
        **{
            table: report(
                results(f"tables/{table}.csv"),
                caption=f"../report/{table}.rst",
                category="Tables",
                labels={"table": title},
            )
            for table, title in REGRESSION_TABLES.items()
        },
    log:
        log_of("tabulate"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        datasets=list(STUDY.datasets),
        rows=ROWS,
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.tabulate"),
    script:
        "../scripts/tabulate.py"


rule regression_figures:
    input:
        estimates=expand(
            results("regression/{{dataset}}/{estimator}.h5"),
            estimator=STUDY.regression,
        ),
        triage=results("tables/triage.csv"),
    output:
        **{
            figure: report(
                results(f"figures/{{dataset}}/{figure}.png"),
                caption=f"../report/figures/{figure}.rst",
                category="Figures",
                labels={"data set": "{dataset}", "figure": figure},
            )
            for figure in REGRESSION_FIGURES
        },
    log:
        log_of("figures/{dataset}-regression"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.results.figures.regression"),
    script:
        "../scripts/regression_figures.py"
