# Where real lenses stand among simulated smooth ones. Issues of real data are told in src/oddlens/frames.py.
rule real:
    input:
        frame=real_frame,
        models=expand(
            results(
                f"models/{{dataset}}/{{detector}}/seed-{{replica}}/{CLEAN_CELL}.safetensors"
            ),
            dataset=STUDY.datasets,
            detector=[name for name in OWN_MODELS if name not in LABELLED],
            replica=REPLICAS,
        ),
        shards=[path for name in STUDY.datasets for path in shards(name, "validation")],
        auc=results("tables/auc.csv"),
    output:
        table=results("real/{lens}.csv"),
        picture=report(
            results("real/{lens}.png"),
            caption="../report/figures/real.rst",
            category="Real lenses",
            labels={"lens": "{lens}"},
        ),
    log:
        log_of("real/{lens}"),
    wildcard_constraints:
        lens=any_of(STUDY.real),
    conda:
        "../../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
        gpu=1,
    params:
        datasets=list(STUDY.datasets),
        source=fingerprint("oddlens.real", *DETECTOR_MODULES),
    script:
        "../scripts/real.py"
