# The public files of real lenses: of each path its SHA-256 and its address.
PUBLIC_FILES = {
    path: (sha256, url)
    for sha256, path, url in (
        line.split()
        for line in (ROOT / "config/real-lenses.sha256").read_text().splitlines()
    )
}


# Real lenses from public repositories. `update` keeps the files that are there; the job downloads those that are
# missing or damaged.
rule retrieve:
    input:
        index=project_file("config/real-lenses.csv"),
    output:
        index=public_lens_file("index.csv"),
        files=update([public_lens_file(path) for path in PUBLIC_FILES]),
    log:
        log_of("retrieve"),
    localrule: True
    conda:
        "../../envs/analyse.yaml"
    params:
        files=PUBLIC_FILES,
        source=fingerprint("oddlens.stages.retrieve"),
    script:
        "../scripts/retrieve.py"
