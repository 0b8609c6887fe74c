rule simulate:
    output:
        results("shards/{dataset}/{pool}/{cls}/{shard}.h5"),
    params:
        world=world,
        seed=STUDY.seed,
        range=shard_range,
        source=simulate_source,
    log:
        log_of("simulate/{dataset}/{pool}/{cls}/{shard}"),
    threads: 1
    resources:
        mem_mb=growing_memory(2000),
        runtime=60,
    conda:
        "../../envs/simulate.yaml"
    script:
        "../scripts/simulate.py"
