"""Laying configs over one another."""

from oddlens.config.merging import laid_over, merged


def test_a_prior_replaces_the_prior_below():
    below = {"a": {"x": {"uniform": [0, 1]}, "y": 2}}
    assert merged(below, {"a": {"x": {"normal": [0, 1]}}}) == {"a": {"x": {"normal": [0, 1]}, "y": 2}}


def test_lists_are_replaced_and_mappings_are_merged():
    below, above = {"a": [1, 2], "b": {"c": 1, "d": {"e": 2}}}, {"a": [3], "b": {"d": {"f": 4}}, "g": {}}
    assert laid_over(below, above) == merged(below, above) == {"a": [3], "b": {"c": 1, "d": {"e": 2, "f": 4}}, "g": {}}


def test_a_null_stays_between_files_and_removes_its_key_at_last():
    below, above = {"a": {"b": 1, "c": 2}}, {"a": {"b": None}, "d": None}
    assert laid_over(below, above) == {"a": {"b": None, "c": 2}, "d": None}
    assert merged(below, above) == {"a": {"c": 2}}


def test_neither_config_is_changed():
    below, above = {"a": {"b": 1}}, {"a": {"b": None, "c": {"d": 1}}}
    merged(below, above)
    assert (below, above) == ({"a": {"b": 1}}, {"a": {"b": None, "c": {"d": 1}}})
