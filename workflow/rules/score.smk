rule score:
    input:
        shards=test_shards,
        models=expand(
            results(
                "models/{{dataset}}/{{detector}}/seed-{replica}/{cell}.safetensors"
            ),
            replica=REPLICAS,
            cell=CELLS,
        ),
    output:
        table=results("scores/{dataset}/{detector}.csv"),
        examples=results("scores/{dataset}/{detector}.h5"),
    log:
        log_of("score/{dataset}/{detector}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=60,
        gpu=1,
    params:
        smooth=SMOOTH,
        source=score_source,
    script:
        "../scripts/score.py"
