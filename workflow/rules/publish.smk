# Models for others, outside the study's folder: only those that the config names.
rule publish:
    input:
        model=published_model,
        validation=validation_shards,
        mini="pretrained/{dataset}/mini.h5",
        scores=results("scores/{dataset}/{detector}.csv"),
        split=results(f"splits/{{dataset}}/seed-{REPLICAS[0]}.csv"),
        auc=results("tables/auc.csv"),
        summary=results("tables/summary.csv"),
    output:
        model="pretrained/{dataset}/{detector}.safetensors",
        card="pretrained/{dataset}/{detector}.md",
    log:
        log_of("publish/{dataset}/{detector}"),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=detector_memory,
        runtime=short_runtime,
    params:
        study=STUDY.study,
        seed=STUDY.seed,
        scoring=scoring,
        smooth=SMOOTH,
        what=what,
        licence=licence,
        source=publish_source,
    script:
        "../scripts/publish.py"


# Some test images of each class, whose scores the cards hold.
rule mini:
    input:
        first_test_shards,
    output:
        "pretrained/{dataset}/mini.h5",
    log:
        log_of("mini/{dataset}"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        source=fingerprint("oddlens.stages.publish"),
    script:
        "../scripts/mini.py"
