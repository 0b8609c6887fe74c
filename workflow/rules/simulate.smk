rule simulate:
    output:
        results("shards/{dataset}/{pool}/{cls}/{shard}.h5"),
    log:
        log_of("simulate/{dataset}/{pool}/{cls}/{shard}"),
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=simulation_memory,
        runtime=short_runtime,
    params:
        simulation=simulation,
        seed=STUDY.seed,
        range=shard_range,
        source=simulate_source,
    script:
        "../scripts/simulate.py"
