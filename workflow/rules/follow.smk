# A closer look at the oddest images: PyAutoLens's own model fit, with a mass and without. Each is a job of its own.
FOLLOWED = {
    dataset: range(1, asked.lenses + 1) for dataset, asked in STUDY.follow.items()
}


def followed(kind, dataset):
    """The tables or pictures of the lenses of a data set."""
    return [
        results(f"follow/{dataset}/{place}.{kind}")
        for place in FOLLOWED.get(dataset, [])
    ]


def followed_row(wildcards):
    """The row whose oddest images are looked at."""
    return STUDY.follow[wildcards.dataset].row


def followed_live(wildcards):
    return STUDY.follow[wildcards.dataset].live


def just_test_shards(wildcards):
    return shards(wildcards.dataset, "test")


def scanner_findings(wildcards):
    """What the study's fit of physics found, if it has one, to be held beside."""
    if STUDY.explainer is None:
        return []
    return results(f"scores/{wildcards.dataset}/{STUDY.explainer}-findings.csv")


def scanned_mass(wildcards):
    """What that fit assumes of a mass, so that both ask for the same."""
    if STUDY.explainer is None:
        return {}
    asked = ("half_width_arcsec", "softening_arcsec", "heaviest_arcsec2")
    return {key: STUDY.detectors[STUDY.explainer].settings[key] for key in asked}


rule follow:
    input:
        oddest=results("tables/oddest.csv"),
        findings=scanner_findings,
        shards=just_test_shards,
    output:
        table=results("follow/{dataset}/{place}.csv"),
        picture=report(
            results("follow/{dataset}/{place}.png"),
            caption="../report/figures/follow.rst",
            category="The oddest",
            labels={"data set": "{dataset}", "place": "{place}"},
        ),
    log:
        log_of("follow/{dataset}/{place}"),
    wildcard_constraints:
        dataset=any_of(FOLLOWED),
        place=r"\d+",
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
        source=fingerprint("oddlens.follow", f"oddlens.lensing.substructure.{SMOOTH}"),
    script:
        "../scripts/follow.py"
