INJECTED = [name for name, dataset in STUDY.datasets.items() if dataset.inject]
COMPLETENESS_TABLES = {
    "completeness": "completeness by injected masses",
    "completeness_masses": "masses at half completeness",
}


for dataset in INJECTED:
    try:
        injected_class(POOLS[dataset])
    except ValueError as error:
        raise WorkflowError(f"datasets.{dataset}.inject: {error}") from None
INJECTED_SCORES = [
    (dataset, row) for dataset in INJECTED for row in SCORERS if row in ROWS_OF[dataset]
]


# Test images with and without the change that a mass would make.
rule inject:
    input:
        shards=injected_shards,
        psf=lambda wildcards: psf_files(wildcards.dataset),
    output:
        results("injected/{dataset}.h5"),
    log:
        log_of("inject/{dataset}"),
    benchmark:
        benchmark_of("inject/{dataset}")
    wildcard_constraints:
        dataset=any_of(INJECTED),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=simulation_memory,
        runtime=long_runtime,
    params:
        masses=lambda wildcards: injected_masses(
            STUDY.datasets[wildcards.dataset].inject,
            assumed_simulation(wildcards.dataset),
        ),
        model=lambda wildcards: STUDY.datasets[wildcards.dataset].inject.model,
        simulation=lambda wildcards: smooth_simulation(wildcards.dataset),
        images=lambda wildcards: STUDY.datasets[wildcards.dataset].inject.images,
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.inject"),
    script:
        "../scripts/inject.py"


# The scores of injected images by the models of a row after clean training.
rule score_injected:
    input:
        injected=results("injected/{dataset}.h5"),
        models=lambda wildcards: [
            model(
                training_sets_of(wildcards)[0],
                wildcards.dataset,
                TRAINED[wildcards.detector],
                replica,
            )
            for replica in REPLICAS
        ],
        fitting_model=lambda wildcards: (
            fitting_model(wildcards) if wildcards.detector in ON_RESIDUALS else []
        ),
    output:
        results("injected/{dataset}/{detector}.csv"),
    log:
        log_of("score_injected/{dataset}/{detector}"),
    wildcard_constraints:
        dataset=any_of(INJECTED),
        detector=any_of(SCORERS),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        trained=lambda wildcards: TRAINED[wildcards.detector],
        input=lambda wildcards: detector_row(wildcards).input,
        scoring=scoring_settings,
        source=lambda wildcards: fingerprint(
            "oddlens.stages.score_injected",
            detector_module(wildcards.detector),
            *(
                [detector_module(STUDY.fitting_row)]
                if wildcards.detector in ON_RESIDUALS
                else []
            ),
        ),
    script:
        "../scripts/score_injected.py"


# The fraction of injected masses that each row detects.
rule completeness:
    input:
        injected=[
            results(f"injected/{dataset}/{row}.csv")
            for dataset, row in INJECTED_SCORES
        ],
        scores=[
            results(f"scores/{dataset}/{row}.csv") for dataset, row in INJECTED_SCORES
        ],
    output:
        **{
            table: report(
                results(f"tables/{table}.csv"),
                caption=f"../report/{table}.rst",
                category="Tables",
                labels={"table": title},
            )
            for table, title in COMPLETENESS_TABLES.items()
        },
        figure=report(
            results("figures/completeness.png"),
            caption="../report/figures/completeness.rst",
            category="Figures",
            labels={"data set": "all", "figure": "completeness"},
        ),
    log:
        log_of("completeness"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        rows=ROWS,
        source=fingerprint("oddlens.stages.completeness"),
    script:
        "../scripts/completeness.py"
