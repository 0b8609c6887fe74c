REGRESSION_TABLES = {
    "regression": "estimates of lens and dark matter",
    "fractions": "mean fractions of populations",
    "triage": "estimates of flagged images",
}
REGRESSION_FIGURES = ["estimates", "calibration", "fractions", "triage"]


# Deep regression: parameters of lens and dark matter from images, on the same shards as the detectors.
rule regress:
    input:
        lambda wildcards: shards(
            wildcards.dataset,
            "train",
            "contaminant",
            input=STUDY.regression[wildcards.estimator].input,
        ),
    output:
        results("regression/{dataset}/{estimator}.safetensors"),
    log:
        log_of("regress/{dataset}/{estimator}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=long_runtime,
        gpu=1,
    params:
        row=lambda wildcards: {
            key: STUDY.regression[wildcards.estimator].plain()[key]
            for key in ("input", "images", "held_out", "bins", "training")
        }
        | {"settings": STUDY.regression[wildcards.estimator].network},
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.regress"),
    script:
        "../scripts/regress.py"


# The estimates of one regression row for the test images.
rule estimate:
    input:
        model=results("regression/{dataset}/{estimator}.safetensors"),
        shards=lambda wildcards: shards(
            wildcards.dataset,
            "test",
            input=STUDY.regression[wildcards.estimator].input,
        ),
    output:
        results("regression/{dataset}/{estimator}.h5"),
    log:
        log_of("estimate/{dataset}/{estimator}"),
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


# The regression tables of the study.
rule tabulate:
    input:
        **{
            f"estimates_{dataset}": expand(
                results(f"regression/{dataset}/{{estimator}}.h5"),
                estimator=STUDY.regression,
            )
            for dataset in SIMULATED
        },
        **per_dataset("scores", "scores/{dataset}/{detector}.csv"),
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
        datasets=SIMULATED,
        rows=ROWS,
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.tabulate"),
    script:
        "../scripts/tabulate.py"


# The regression figures of one data set.
rule regression_figures:
    input:
        estimates=[
            results(f"regression/{{dataset}}/{estimator}.h5")
            for estimator in STUDY.regression
        ],
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
        source=fingerprint("oddlens.stages.regression_figures"),
    script:
        "../scripts/regression_figures.py"
