# Rows that read residual inputs; their scores need the model whose fits those come from.
ON_RESIDUALS = [row for row in DETECTORS if STUDY.detectors[row].input != "images"]


# The scores of one row: all its models on the test and validation images.
rule score:
    input:
        shards=lambda wildcards: shards(wildcards.dataset, "test", "validation"),
        models=lambda wildcards: [
            model(
                training_set, wildcards.dataset, TRAINED[wildcards.detector], replica
            )
            for replica in REPLICAS
            for training_set in training_sets_of(wildcards)
        ],
        residual_inputs=lambda wildcards: (
            shards(
                wildcards.dataset,
                "test",
                "validation",
                input=detector_row(wildcards).input,
            )
            if wildcards.detector in ON_RESIDUALS
            else []
        ),
        fitting_model=lambda wildcards: (
            fitting_model(wildcards) if wildcards.detector in ON_RESIDUALS else []
        ),
    output:
        scores=results("scores/{dataset}/{detector}.csv"),
        findings=results("scores/{dataset}/{detector}-findings.csv"),
        pixels=results("scores/{dataset}/{detector}-pixels.csv"),
        samples=results("scores/{dataset}/{detector}-samples.csv"),
        examples=results("scores/{dataset}/{detector}.h5"),
        maps=results("scores/{dataset}/{detector}-maps.h5"),
    log:
        log_of("score/{dataset}/{detector}"),
    benchmark:
        benchmark_of("score/{dataset}/{detector}")
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
        seed=STUDY.seed,
        smooth=SMOOTH,
        source=lambda wildcards: fingerprint(
            "oddlens.stages.score",
            detector_module(wildcards.detector),
            *(
                [detector_module(STUDY.fitting_row)]
                if wildcards.detector in ON_RESIDUALS
                else []
            ),
        ),
    script:
        "../scripts/score.py"
