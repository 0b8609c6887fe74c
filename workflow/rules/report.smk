rule report:
    input:
        **{table: results(f"tables/{table}.csv") for table in TABLES},
        figures=expand(
            results("figures/{dataset}/{figure}.png"),
            dataset=STUDY.datasets,
            figure=["preview", *FIGURES],
        ),
        ranks_figure=results("figures/ranks.png"),
        noise_figure=results("figures/noise.png"),
        real_tables=expand(results("real/{lens}.csv"), lens=STUDY.real),
        real_pictures=expand(results("real/{lens}.png"), lens=STUDY.real),
        follow_tables=[path for name in FOLLOWED for path in followed("csv", name)],
        follow_pictures=[path for name in FOLLOWED for path in followed("png", name)],
        losses=expand(
            results("models/{dataset}/{detector}/seed-{replica}/losses.csv"),
            dataset=STUDY.datasets,
            detector=OWN_MODELS,
            replica=REPLICAS,
        ),
        template=project_file("src/oddlens/report.html.j2"),
        captions=[
            project_file(f"workflow/report/figures/{figure}.rst")
            for figure in ["preview", *FIGURES, "ranks", "noise", "real", "follow"]
        ],
    output:
        report(
            results("report.html"),
            caption="../report/report.rst",
            category="Report",
            labels={"document": "the study"},
        ),
    log:
        log_of("report"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        study=STUDY.plain(),
        tables=list(TABLES),
        rows=ROWS,
        classes={
            cls: settings.summary(cls, "lensing/substructure") for cls in ALL_CLASSES
        },
        figures=["preview", *FIGURES],
        source=fingerprint("oddlens.report"),
    script:
        "../scripts/report.py"
