import os
import subprocess
import sys
from contextlib import suppress
import tomllib
from pathlib import Path
from tempfile import TemporaryDirectory

from snakemake.exceptions import WorkflowError


def checkout(here):
    """The folder of this project, seen from the working directory, which is another if this is used as a module.

    Of a workflow that it takes from a forge Snakemake has a bare repository and no folder, so one is made of that.
    """
    if here.is_local:
        return Path(os.path.relpath(Path(here.path).parents[1]))
    repository = here.hosted_repo.repo
    commit = repository.commit(here.ref).hexsha
    # Where nodes of a cluster and containers see it, too.
    place = Path(".snakemake/oddlens", commit)
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place.parent) as folder:
            new = Path(folder, commit)
            repository.clone(new, no_checkout=True).git.checkout(commit)
            with suppress(OSError):  # another process was first
                new.rename(place)
    return place


ROOT = checkout(workflow.current_basedir)
LIBRARY = os.path.abspath(ROOT / "src")

if any(mark in LIBRARY for mark in "{}:"):
    raise WorkflowError(
        f"The folder {os.path.abspath(ROOT)} has one of {{ }} : in its name, which Snakemake and Python would misread. "
        "Rename it"
    )

sys.path.insert(0, LIBRARY)

from oddlens.config import settings
from oddlens.config.config_files import must_say_keys_once
from oddlens.lensing.substructure_classes import SMOOTH
from oddlens.observations import lens_index
from oddlens.schema.config_errors import ConfigError
from oddlens.provenance.fingerprint import fingerprint

try:
    must_say_keys_once(workflow.configfiles)
    STUDY = settings.study(config)
except ConfigError as error:
    raise WorkflowError(f"The config has mistakes:\n{error}") from None

DETECTORS = list(STUDY.detectors)
TRAINED = {name: STUDY.trained(name) for name in DETECTORS}
OWN_MODELS = [name for name in DETECTORS if TRAINED[name] == name]
REPLICAS = STUDY.contamination.seeds
TRAINING_SETS = STUDY.training_sets()
CLEAN_SET, LABELLED_SET = settings.CLEAN_SET, settings.LABELLED_SET
UNLABELLED = [training_set for training_set in TRAINING_SETS if training_set != LABELLED_SET]
ROWS = STUDY.rows()
ALL_CLASSES = list(
    dict.fromkeys(cls for dataset in STUDY.datasets.values() for cls in dataset.classes)
)
FIGURES = [
    "roc",
    "contamination",
    "bins",
    "population",
    "selection",
    "gallery",
    "masses",
    "codes",
    "drawn",
    "losses",
]


wildcard_constraints:
    dataset="|".join(STUDY.datasets),
    detector="|".join(DETECTORS),
    pool="train|contaminant|validation|test",
    cls=r"\w+",
    shard=r"\d+",
    replica=r"\d+",


def results(path):
    """A path inside the study's folder."""
    return f"results/{STUDY.study}/{path}"


def project_file(path):
    """A file of this project; no `prefix` of a module is put before it."""
    return local(str(ROOT / path))


def log_of(path):
    """The path of a log."""
    return results(f"logs/{path}.log")


def shards(dataset, *pools, seen="images"):
    """The shards of some pools of a data set, as rows of some `input` see them."""
    found = STUDY.datasets[dataset]
    folder = "shards" if seen == "images" else f"residual_inputs/{seen}"
    return [
        results(f"{folder}/{dataset}/{pool}/{cls}/{shard:03d}.h5")
        for pool in pools
        for cls in found.pools()[pool]
        for shard in found.shards(pool)
    ]


def shard_range(wildcards):
    """The first image of a shard, and how many it holds."""
    images = STUDY.datasets[wildcards.dataset].images
    first = int(wildcards.shard) * images.per_shard
    return first, min(images.per_shard, getattr(images, wildcards.pool) - first)


def simulation(wildcards):
    """What the images of a shard depend on, besides their names."""
    return STUDY.datasets[wildcards.dataset].only(wildcards.cls).plain()


def simulate_source(wildcards):
    return fingerprint(
        "oddlens.stages.simulate", f"oddlens.lensing.substructure.{wildcards.cls}"
    )


def seen(wildcards):
    """What a row sees: images, or what is left of them."""
    return STUDY.detectors[wildcards.detector].input


def training_shards(wildcards):
    return shards(wildcards.dataset, "train", "contaminant", seen=seen(wildcards))


def explainer(wildcards):
    """The model by whose fits images are explained."""
    trained = f"{wildcards.dataset}/{TRAINED[STUDY.fitting_row]}"
    return results(f"models/{trained}/seed-{REPLICAS[0]}/{CLEAN_SET}.safetensors")


def explained(wildcards):
    """What a row that sees no images themselves sees of the test images, and the model that explained them."""
    if seen(wildcards) == "images":
        return {"explained": [], "fitting_row": []}
    pools = ("test", "validation")
    return {
        "explained": shards(wildcards.dataset, *pools, seen=seen(wildcards)),
        "fitting_row": explainer(wildcards),
    }


def explain_source(wildcards):
    detector = STUDY.detectors[STUDY.fitting_row].detector
    return fingerprint("oddlens.stages.residual_inputs", f"oddlens.detectors.{detector}")


def test_shards(wildcards):
    return shards(wildcards.dataset, "test", "validation")


def other_shards(wildcards):
    return shards(wildcards.dataset, "contaminant", "validation", "test")


def first_test_shards(wildcards):
    """The shards that hold the first test images of each class, smooth first."""
    return [
        results(f"shards/{wildcards.dataset}/test/{cls}/000.h5")
        for cls in STUDY.datasets[wildcards.dataset].classes
    ]


def smooth_shards(wildcards):
    return shards(wildcards.dataset, "train")


def contaminants(wildcards):
    """The size of the contaminant pool of each anomaly class."""
    dataset = STUDY.datasets[wildcards.dataset]
    return {cls: dataset.images.contaminant for cls in dataset.pools()["contaminant"]}


def known(wildcards):
    """Of how many images of each class some row is told the label."""
    return STUDY.known(wildcards.dataset)


def labels(wildcards):
    """Of how many images of each class a row is told the label."""
    return STUDY.labels_of(wildcards.detector, wildcards.dataset)


def train_images(wildcards):
    return STUDY.datasets[wildcards.dataset].images.train


ABLATIONS = [name for name, row in STUDY.detectors.items() if row.ablates]
FIGURES += ["ablations"] if ABLATIONS else []
FITTING = [
    name
    for name in OWN_MODELS
    if settings.takes_simulation(STUDY.detectors[name].detector)
    and not STUDY.detectors[name].ablates
]
CLEAN_ONLY = [name for name, row in STUDY.detectors.items() if not row.contaminated]
LABELLED = [name for name in DETECTORS if STUDY.training_sets_of(name) == [LABELLED_SET]]


def any_of(rows):
    """A pattern of some rows; of nothing if there are none."""
    return "|".join(rows) or "(?!)"


def models_on(training_sets):
    """The models of a row and a seed."""
    return expand(
        results("models/{{dataset}}/{{detector}}/seed-{{replica}}/{training_set}.safetensors"),
        training_set=training_sets,
    )


def models(wildcards):
    """The models that a row scores with."""
    return expand(
        results("models/{dataset}/{row}/seed-{replica}/{training_set}.safetensors"),
        dataset=wildcards.dataset,
        row=trained(wildcards),
        replica=REPLICAS,
        training_set=training_sets(wildcards),
    )


def trained(wildcards):
    """The row whose models a row scores with."""
    return TRAINED[wildcards.detector]


def scoring(wildcards):
    """Those settings of a row that only its score reads."""
    entry = STUDY.detectors[wildcards.detector]
    return {key: entry.settings[key] for key in settings.scoring(entry.detector)}


def training_sets(wildcards):
    """The training sets of a row."""
    return STUDY.training_sets_of(wildcards.detector)


def row(wildcards):
    """A detector's row: its file, settings, training and input."""
    entry = STUDY.detectors[wildcards.detector].plain()
    keys = ("detector", "settings", "training", "input")
    return {key: entry[key] for key in keys}


def known_simulation(wildcards):
    """What a row is told of the lenses of its data set; nothing, unless its detector knows lenses."""
    if settings.takes_simulation(row(wildcards)["detector"]):
        return STUDY.datasets[wildcards.dataset].only(SMOOTH).plain()
    return None


PUBLISHED = [
    f"pretrained/{dataset}/{row}.{kind}"
    for dataset, rows in STUDY.publish.items()
    for row in rows
    for kind in ("safetensors", "md")
]


def published_model(wildcards):
    """The model of a row that is published: the first seed's, after clean (or labelled) training."""
    training_set = training_sets(wildcards)[0]
    return results(
        f"models/{wildcards.dataset}/{trained(wildcards)}/seed-{REPLICAS[0]}/{training_set}.safetensors"
    )


def validation_shards(wildcards):
    return shards(wildcards.dataset, "validation")


def what(wildcards):
    """What a row is, in a sentence."""
    return STUDY.detectors[wildcards.detector].what


def licence(wildcards):
    """The project's, which its models have too."""
    project = (ROOT / "pyproject.toml").read_text()
    return tomllib.loads(project)["project"]["license"]


def publish_source(wildcards):
    return fingerprint(
        "oddlens.stages.publish", f"oddlens.detectors.{row(wildcards)['detector']}"
    )


SCORERS = STUDY.scorers()
REAL_TABLES = {
    "real": "real lenses",
    "real_noise": "real noise",
    "real_claims": "ranks of claimed lenses",
}


def real_files(wildcards):
    """The files of real lenses, as far as they are there; what an index names and is not there, the job tells."""
    return [
        local(str(file))
        for entry in STUDY.real.values()
        for file in lens_index.files(Path(entry.path))
    ]


def real_models(wildcards):
    """The models that score real lenses."""
    return [
        results(
            f"models/{wildcards.dataset}/{how['trained']}/seed-{seed}/{how['training_set']}.safetensors"
        )
        for how in SCORERS.values()
        for seed in REPLICAS
    ]


DETECTOR_MODULES = sorted(
    {f"oddlens.detectors.{row.detector}" for row in STUDY.detectors.values()}
)


def train_source(wildcards):
    return fingerprint(
        "oddlens.stages.train", f"oddlens.detectors.{row(wildcards)['detector']}"
    )


def score_source(wildcards):
    rows = [wildcards.detector]
    if seen(wildcards) != "images":
        rows.append(STUDY.fitting_row)
    used = [f"oddlens.detectors.{STUDY.detectors[name].detector}" for name in rows]
    return fingerprint("oddlens.stages.score", *used)


REGRESSION_TABLES = {
    "regression": "estimates of lens and dark matter",
    "fractions": "mean fractions of populations",
    "triage": "after the alarm",
}
REGRESSION_FIGURES = ["estimates", "calibration", "fractions", "triage"]


def regression_shards(wildcards):
    """What a row of the regression learns from, the smooth class first."""
    seen = STUDY.regression[wildcards.estimator].input
    return shards(wildcards.dataset, "train", "contaminant", seen=seen)


def estimated_shards(wildcards):
    seen = STUDY.regression[wildcards.estimator].input
    return shards(wildcards.dataset, "test", seen=seen)


def estimator_row(wildcards):
    """What is asked of a row of the regression, and its network."""
    entry = STUDY.regression[wildcards.estimator]
    plain = entry.plain()
    keys = ("input", "images", "held_out", "bins", "training")
    return {key: plain[key] for key in keys} | {"settings": entry.network}


FOLLOWED = {
    dataset: range(1, asked.lenses + 1) for dataset, asked in STUDY.follow_up.items()
}


def followed(kind, dataset):
    """The tables or pictures of the lenses of a data set."""
    return [
        results(f"follow_up/{dataset}/{rank}.{kind}")
        for rank in FOLLOWED.get(dataset, [])
    ]


def followed_row(wildcards):
    """The row whose oddest images are looked at."""
    return STUDY.follow_up[wildcards.dataset].row


def followed_live(wildcards):
    return STUDY.follow_up[wildcards.dataset].live


def just_test_shards(wildcards):
    return shards(wildcards.dataset, "test")


def scanner_findings(wildcards):
    """What the study's fit of physics found, if it has one, to be held beside."""
    if STUDY.fitting_row is None:
        return []
    return results(f"scores/{wildcards.dataset}/{STUDY.fitting_row}-findings.csv")


def scanned_mass(wildcards):
    """What that fit assumes of a mass, so that both ask for the same."""
    if STUDY.fitting_row is None:
        return {}
    asked = ("half_width_arcsec", "softening_arcsec", "heaviest_arcsec2")
    return {key: STUDY.detectors[STUDY.fitting_row].settings[key] for key in asked}


def doubled(first, attempt):
    """What a job asks for: `first`, and twice as much each time that it has failed."""
    return round(first) * 2 ** (attempt - 1)


def simulation_memory(wildcards, attempt):
    """Memory in MB: the program and the images of a shard, however many shards there are."""
    dataset = STUDY.datasets[wildcards.dataset]
    shard = dataset.images.per_shard * dataset.camera.pixels**2 * 4e-6
    return doubled(1500 + 3 * shard, attempt)


def detector_memory(wildcards, threads, attempt):
    """Memory in MB: a program for each thread, with one shard and some images at work; the rest stays on the disk."""
    dataset = STUDY.datasets[wildcards.dataset]
    image = dataset.camera.pixels**2 * 4e-6
    program = 2000 + (4 * dataset.images.per_shard + 4000) * image
    return doubled(program * threads, attempt)


def real_memory(wildcards, attempt):
    """Memory in MB: some thousand images, and one model after the other."""
    return doubled(4000, attempt)


def short_runtime(wildcards, attempt):
    """Minutes for what takes minutes."""
    return doubled(60, attempt)


def long_runtime(wildcards, attempt):
    """Minutes for what takes hours."""
    return doubled(720, attempt)
