from oddlens.config.merging import merged


def test_a_prior_replaces_the_prior_below():
    below = {"a": {"x": {"uniform": [0, 1]}, "y": 2}}
    assert merged(below, {"a": {"x": {"normal": [0, 1]}}}) == {"a": {"x": {"normal": [0, 1]}, "y": 2}}
