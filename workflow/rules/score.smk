rule score:
    input:
        unpack(explained),
        shards=test_shards,
        models=models,
    output:
        scores=results("scores/{dataset}/{detector}.csv"),
        findings=results("scores/{dataset}/{detector}-findings.csv"),
        pixels=results("scores/{dataset}/{detector}-pixels.csv"),
        samples=results("scores/{dataset}/{detector}-samples.csv"),
        examples=results("scores/{dataset}/{detector}.h5"),
    log:
        log_of("score/{dataset}/{detector}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        trained=trained,
        input=seen,
        scoring=scoring,
        seed=STUDY.seed,
        smooth=SMOOTH,
        source=score_source,
    script:
        "../scripts/score.py"


# What is true of the images that are scored, for tables that ask when a detector sees something.
rule truth:
    input:
        test_shards,
    output:
        results("truth/{dataset}.csv"),
    log:
        log_of("truth/{dataset}"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        source=fingerprint("oddlens.stages.truth"),
    script:
        "../scripts/truth.py"


# Whether a fit of physics finds the best smooth lens without the truth.
rule fit_convergence:
    input:
        shards=first_test_shards,
        model=results(
            f"models/{{dataset}}/{{detector}}/seed-{REPLICAS[0]}/{CLEAN_SET}.safetensors"
        ),
    output:
        results("fit_convergence/{dataset}/{detector}.csv"),
    log:
        log_of("fit_convergence/{dataset}/{detector}"),
    wildcard_constraints:
        detector=any_of(FITTING),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        images=STUDY.fit_convergence,
        source=fingerprint("oddlens.stages.fit_convergence"),
    script:
        "../scripts/fit_convergence.py"
