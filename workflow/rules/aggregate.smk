from oddlens.config.dataset import exposure_groups

TABLES = {
    "summary": "mean AUC over replicas",
    "comparison": "comparison",
    "published": "published AUCs",
    "contamination": "slopes and break points",
    "false_alarms": "false alarms",
    "false_alarm_probabilities": "false-alarm probabilities",
    "most_anomalous": "most anomalous images",
    "pairs": "pairs of rows, paired DeLong",
    "ranks": "ranks, Friedman",
    "wilcoxon": "pairs of rows, Wilcoxon-Holm",
    "bins": "AUC by properties",
    "population": "lenses for 3 sigma",
    "noise": "AUC by noise",
    "anomaly_maps": "anomaly maps",
    "findings": "findings",
    "fit_convergence": "convergence of fits",
    "samples": "samples of generative models",
    "ablations": "ablations",
    "selection": "selection without labels",
    "auc": "AUC, tidy",
    "detection": "completeness at false-alarm rates",
    "decoys": "completeness lost to decoys",
    "localisation": "position and mass of perturbers",
}
TABLES |= {"ranking": "ranking", "agreement": "agreement"} if SAMPLES else {}


# The result tables of the study.
rule aggregate:
    input:
        **per_dataset("scores", "scores/{dataset}/{detector}.csv"),
        **per_dataset("findings", "scores/{dataset}/{detector}-findings.csv"),
        **per_dataset("pixels", "scores/{dataset}/{detector}-pixels.csv"),
        **per_dataset("samples", "scores/{dataset}/{detector}-samples.csv"),
        **{f"truth_{dataset}": results(f"truth/{dataset}.csv") for dataset in DATASETS},
        fit_convergence=expand(
            results("fit_convergence/{dataset}/{detector}.csv"),
            dataset=SIMULATED,
            detector=FITTING,
        ),
        published=project_file("src/oddlens/results/tables/published.csv"),
    output:
        **{
            table: report(
                results(f"tables/{table}.csv"),
                caption=f"../report/{table}.rst",
                category="Tables",
                labels={"table": title},
            )
            for table, title in TABLES.items()
        },
    log:
        log_of("aggregate"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        datasets=DATASETS,
        reproduces={
            name: dataset.reproduces or name
            for name, dataset in STUDY.simulated.items()
        },
        exposures=exposure_groups(STUDY.simulated),
        rows=ROWS,
        smooth=SMOOTH,
        detection=STUDY.detection.plain(),
        source=fingerprint("oddlens.stages.aggregate"),
    script:
        "../scripts/aggregate.py"
