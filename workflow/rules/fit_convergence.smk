# Rows that fit lens models, without ablations.
FITTING = [
    row
    for row in OWN_MODELS
    if STUDY.detectors[row].fits_lenses and not STUDY.detectors[row].ablates
]


# How often a fit reaches the optimum without knowing the truth.
rule fit_convergence:
    input:
        shards=first_test_shards,
        model=model(CLEAN_SET, replica=REPLICAS[0]),
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
