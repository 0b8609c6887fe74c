import tomllib

PUBLISHED = [
    f"pretrained/{dataset}/{row}.{suffix}"
    for dataset, rows in STUDY.publish.items()
    for row in rows
    for suffix in ("safetensors", "md")
]


# The models that the config names under `publish`, each with a card, outside the study's folder. A row's first replica
# is published, after training on the clean or the labelled set.
rule publish:
    input:
        model=lambda wildcards: model(
            training_sets_of(wildcards)[0],
            wildcards.dataset,
            TRAINED[wildcards.detector],
            REPLICAS[0],
        ),
        validation=lambda wildcards: shards(wildcards.dataset, "validation"),
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
        scoring=scoring_settings,
        smooth=SMOOTH,
        description=lambda wildcards: comparison.descriptions(STUDY)[wildcards.detector],
        licence=lambda wildcards: tomllib.loads((ROOT / "pyproject.toml").read_text())[
            "project"
        ]["license"],
        source=lambda wildcards: fingerprint(
            "oddlens.stages.publish", detector_module(wildcards.detector)
        ),
    script:
        "../scripts/publish.py"


# A few test images of each class; the cards hold their scores.
rule mini_set:
    input:
        first_test_shards,
    output:
        "pretrained/{dataset}/mini.h5",
    log:
        log_of("mini_set/{dataset}"),
    localrule: True
    conda:
        "../../envs/train.yaml"
    params:
        source=fingerprint("oddlens.stages.mini_set"),
    script:
        "../scripts/mini_set.py"
