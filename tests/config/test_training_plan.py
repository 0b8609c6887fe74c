from oddlens.config.study import parse_study
from oddlens.config.training_plan import labelled_counts, labels_of, model_row, training_sets, training_sets_of


def test_training_sets_follow_the_role_of_a_row(config):
    study = parse_study(config)
    everything = training_sets(study, study.datasets["model_a"].pools)
    assert everything == ["none-0", "mixed-0.1", "labelled-0.5"]
    assert training_sets_of(study, "dcae") == everything[:-1]
    assert training_sets_of(study, "dcae_plain_error") == ["none-0"]
    assert training_sets_of(study, "supervised") == ["labelled-0.5"]
    roles = {row: study.detectors[row].role for row in ("dcae", "dcae_plain_error", "supervised", "flux", "knn")}
    assert list(roles.values()) == ["detector", "ablation", "upper_bound", "control", "reference"]


def test_rows_that_differ_only_in_their_score_share_models(config):
    config["detectors"] = {
        "dcae": {},
        "error": {"ablates": "dcae", "score": "error"},
        "shallow": {"ablates": "dcae", "score": "error", "depth": 1},
        "briefly": {"like": "dcae", "score": "error", "training": {"epochs": 1}},
        # A row that is refined by another score is trained on other images.
        "refined": {"like": "dcae", "training": {"robust": "refine"}},
        "refined_error": {"like": "refined", "score": "error"},
        # The first AAE has no models of the training sets that the second needs.
        "aae_error": {"detector": "aae", "score": "error", "contaminated": False},
        "aae": {},
    }
    study = parse_study(config)
    shared = {row: own for row in study.detectors if (own := model_row(study, row)) != row}
    assert shared == {"error": "dcae"}


def test_labels_are_counted_by_class(config):
    config["detectors"] |= {
        "few": {"detector": "infonce", "labels": {"mixed": 5}},
        "more": {"detector": "svdd", "labels": {"cdm": 10, "mixed": 4}},
    }
    study = parse_study(config)
    pools = study.datasets["model_a"].pools
    assert labels_of(study, "few", pools) == {"smooth": 0, "cdm": 3, "vortex": 2}
    assert labels_of(study, "more", pools) == {"smooth": 0, "cdm": 12, "vortex": 2}
    assert labels_of(study, "dcae", pools) == {"smooth": 0, "cdm": 0, "vortex": 0}
    assert labelled_counts(study, study.datasets["model_b"].pools, study.detectors) == {"cdm": 12, "vortex": 2}
    assert training_sets_of(study, "few") == training_sets_of(study, "dcae")


def test_an_upper_bound_gets_as_many_smooth_images_as_anomalies(config):
    config["detectors"]["supervised_1k"] = {"like": "supervised", "labels": {"mixed": 500}}
    study = parse_study(config)
    pools = study.datasets["model_a"].pools
    assert labels_of(study, "supervised_1k", pools) == {"smooth": 500, "cdm": 250, "vortex": 250}
    assert labels_of(study, "supervised", pools) == {
        "smooth": 0,
        "cdm": 0,
        "vortex": 0,
    }  # the labelled training set as a whole
    assert labelled_counts(study, pools, study.detectors) == {"smooth": 500, "cdm": 250, "vortex": 250}
    assert training_sets_of(study, "supervised_1k") == training_sets_of(study, "supervised")
    assert model_row(study, "supervised_1k") == "supervised_1k"
