# The residuals of the best smooth fit to each image, for rows whose `input` is not `images`.
rule residual_inputs:
    input:
        shard=results("shards/{dataset}/{pool}/{cls}/{shard}.h5"),
        model=fitting_model,
    output:
        residual=results("residual_inputs/residual/{dataset}/{pool}/{cls}/{shard}.h5"),
        scan=results("residual_inputs/scan/{dataset}/{pool}/{cls}/{shard}.h5"),
    log:
        log_of("residual_inputs/{dataset}/{pool}/{cls}/{shard}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        source=lambda wildcards: fingerprint(
            "oddlens.stages.residual_inputs", detector_module(STUDY.fitting_row)
        ),
    script:
        "../scripts/residual_inputs.py"
