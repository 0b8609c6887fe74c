# What the study's fitting row assumes of a perturber; a follow-up assumes the same.
PERTURBER = ("half_width_arcsec", "softening_arcsec", "heaviest_arcsec2")


# PyAutoLens fits of the most anomalous images of a row, with and without a perturber: one job an image.
rule follow_up:
    input:
        most_anomalous=results("tables/most_anomalous.csv"),
        findings=(
            results(f"scores/{{dataset}}/{STUDY.fitting_row}-findings.csv")
            if STUDY.fitting_row
            else []
        ),
        shards=lambda wildcards: shards(wildcards.dataset, "test"),
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
        dataset=any_of(STUDY.follow_up),
    conda:
        "../../envs/simulate.yaml"
    threads: 1
    resources:
        mem_mb=real_memory,
        runtime=short_runtime,
    params:
        row=lambda wildcards: STUDY.follow_up[wildcards.dataset].row,
        live=lambda wildcards: STUDY.follow_up[wildcards.dataset].live,
        mass=(
            {
                key: STUDY.detectors[STUDY.fitting_row].settings[key]
                for key in PERTURBER
            }
            if STUDY.fitting_row
            else {}
        ),
        seed=STUDY.seed,
        source=fingerprint(
            "oddlens.stages.follow_up", f"oddlens.lensing.substructure.{SMOOTH}"
        ),
    script:
        "../scripts/follow_up.py"
