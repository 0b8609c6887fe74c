# A closer look at the oddest images: PyAutoLens's own model fit, with a mass and without. Each is a job of its own.
rule follow_up:
    input:
        most_anomalous=results("tables/most_anomalous.csv"),
        findings=scanner_findings,
        shards=just_test_shards,
    output:
        table=results("follow_up/{dataset}/{rank}.csv"),
        picture=report(
            results("follow_up/{dataset}/{rank}.png"),
            caption="../report/figures/follow_up.rst",
            category="Most anomalous",
            labels={"data set": "{dataset}", "rank": "{rank}"},
        ),
    log:
        log_of("follow_up/{dataset}/{rank}"),
    wildcard_constraints:
        dataset=any_of(FOLLOWED),
        rank=r"\d+",
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
    params:
        row=followed_row,
        live=followed_live,
        mass=scanned_mass,
        seed=STUDY.seed,
        source=fingerprint("oddlens.stages.follow_up", f"oddlens.lensing.substructure.{SMOOTH}"),
    script:
        "../scripts/follow_up.py"
