rule report:
    input:
        tables=rules.aggregate.output,
        figures=expand(
            results("figures/{dataset}/{figure}.png"),
            dataset=STUDY.datasets,
            figure=["preview", *FIGURES],
        ),
        template="src/oddlens/report.html.j2",
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
        detectors={
            row: settings.summary(entry.detector)
            for row, entry in STUDY.detectors.items()
        },
        classes={
            cls: settings.summary(cls, "lensing/substructure") for cls in ALL_CLASSES
        },
        figures=["preview", *FIGURES],
        source=fingerprint("oddlens.report"),
    script:
        "../scripts/report.py"
