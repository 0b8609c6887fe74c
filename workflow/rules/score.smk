rule score:
    input:
        shards=test_shards,
        models=expand(
            results("models/{{dataset}}/{{detector}}/seed-{replica}/{cell}.safetensors"),
            replica=REPLICAS,
            cell=CELLS,
        ),
    output:
        table=results("scores/{dataset}/{detector}.csv"),
        examples=results("scores/{dataset}/{detector}.h5"),
    params:
        smooth=SMOOTH,
        source=score_source,
    log:
        log_of("score/{dataset}/{detector}"),
    threads: 1
    resources:
        mem_mb=growing_memory(4000),
        runtime=60,
        gpu=1,
    conda:
        "../../envs/train.yaml"
    script:
        "../scripts/score.py"
