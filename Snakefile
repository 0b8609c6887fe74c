# oddlens: strong lenses whose dark matter is odd. A snakemake workflow.
from shlex import quote

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


# Read with `--sdm apptainer` alone, in place of the rules' conda environments: docs/environments.md.
container: "oddlens.sif"


include: "workflow/rules/common.smk"


# Jobs find the library without its being installed, under conda and on a cluster too. This replaces Snakemake's own
# prefix, hence `set`. The folder may have any name that common.smk lets pass.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={quote(f'{workflow.current_basedir}/src')}; "
)


include: "workflow/rules/simulate.smk"
include: "workflow/rules/preview.smk"
include: "workflow/rules/export.smk"
include: "workflow/rules/split.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/explain.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/real.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/publish.smk"


report: "workflow/report/workflow.rst"


rule all:
    default_target: True
    input:
        results("report.html"),
        PUBLISHED,


# Beside the study's report: its whole config, and Snakemake's own report, browsable by data set and figure.
onstart:
    from oddlens import run

    try:
        run.begin(Path(results("")), config)
    except OSError as error:
        raise WorkflowError(str(error)) from None


onsuccess:
    if Path(results("report.html")).exists():
        from oddlens import run

        try:
            run.finish(
                Path(results("")), workflow.main_snakefile, Path(log_of("workflow"))
            )
        except (OSError, subprocess.CalledProcessError) as error:
            raise WorkflowError(
                f"Snakemake's own report was not made: {error}"
            ) from None
