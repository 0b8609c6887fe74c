EXPLORED_TABLES = [
    *("summary", "auc", "pairs", "false_alarms", "detection", "most_anomalous"),
    *(["ranking"] if SAMPLES else []),
    *(["completeness"] if INJECTED else []),
    *(["real", "real_claims"] if STUDY.real else []),
]


# The template, the styles and the scripts of the page.
EXPLORE_FOLDER = "src/oddlens/results/pages/explore"
EXPLORE_FILES = [
    project_file(f"{EXPLORE_FOLDER}/{path.name}")
    for path in sorted((ROOT / EXPLORE_FOLDER).iterdir())
    if path.suffix in (".j2", ".css", ".js")
]


# The page on which the results are explored: one HTML file.
rule explore:
    input:
        **{table: results(f"tables/{table}.csv") for table in EXPLORED_TABLES},
        **per_dataset("scores", "scores/{dataset}/{detector}.csv"),
        **{f"truth_{dataset}": results(f"truth/{dataset}.csv") for dataset in DATASETS},
        **{f"shards_{dataset}": shards(dataset, "test") for dataset in DATASETS},
        **{
            f"maps_{dataset}": [
                results(f"scores/{dataset}/{row}-maps.h5") for row in ROWS_OF[dataset]
            ]
            for dataset in DATASETS
        },
        page=EXPLORE_FILES,
    output:
        report(
            results("explore.html"),
            caption="../report/explore.rst",
            category="Report",
            labels={"document": "exploration"},
        ),
    log:
        log_of("explore"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        study=STUDY.study,
        datasets=DATASETS,
        tables=EXPLORED_TABLES,
        rows=ROWS,
        smooth=SMOOTH,
        source=fingerprint("oddlens.stages.explore"),
    script:
        "../scripts/explore.py"
