"""What is read from the files of the detectors, against the imported classes."""

import inspect

import pytest

from oddlens.config import descriptions, detector_registry
from oddlens.detectors.interface import loading

ATTRIBUTES = ["role", "needs", "takes_simulation", "semi_supervised", "scoring", "refused"]
DETECTOR = """
from oddlens.detectors.interface.base import Detector


class New(Detector):
    def __init__(self, pixels, *, {argument}):
        pass
"""


@pytest.fixture
def new_detector(tmp_path, monkeypatch):
    """Write the file of a detector `new` into a folder of its own."""
    for function in (detector_registry._attribute, detector_registry._lineage, detector_registry._parsed):
        function.cache_clear()
    detector_registry.detector_settings.cache_clear()
    monkeypatch.setattr(detector_registry, "_DETECTORS", tmp_path)
    return (tmp_path / "new.py").write_text


@pytest.mark.parametrize("name", detector_registry.detectors())
def test_settings_read_from_the_file_are_those_of_the_constructor(name):
    defaults = {}
    for cls in loading.detector(name).__mro__:
        arguments = inspect.signature(cls.__init__).parameters.values()
        defaults |= {a.name: a.default for a in arguments if a.kind is a.KEYWORD_ONLY}
        if not any(a.kind is a.VAR_KEYWORD for a in arguments):
            break
    assert detector_registry.detector_settings(name)().plain() == defaults


@pytest.mark.parametrize("name", detector_registry.detectors())
def test_attributes_read_from_the_file_are_those_of_the_class(name):
    detector = loading.detector(name)
    for attribute in ATTRIBUTES:
        assert detector_registry._attribute(name, attribute) == getattr(detector, attribute), attribute


def test_roles_are_those_of_the_comparison():
    roles = {name: detector_registry.role(name) for name in detector_registry.detectors()}
    assert {name for name, role in roles.items() if role == "control"} == {"flux", "pca", "random", "ring_radius"}
    assert {name for name, role in roles.items() if role == "upper_bound"} == {"oracle", "supervised"}
    assert {name for name, role in roles.items() if role == "reference"} == {"outlier"}


def test_only_upper_bounds_need_more_than_images():
    for name in detector_registry.detectors():
        assert (detector_registry.needs(name) is not None) == (detector_registry.role(name) == "upper_bound"), name


@pytest.mark.parametrize("name", detector_registry.detectors())
def test_descriptions_are_sentences_without_a_full_stop(name):
    description = descriptions.detector_description(name)
    assert description[0].isupper()
    assert not description.endswith(".")
    assert "\n" not in description


def test_an_argument_without_annotation_is_refused(new_detector):
    new_detector(DETECTOR.format(argument="width=3"))
    with pytest.raises(TypeError, match="detector new: annotate 'width'"):
        detector_registry.detector_settings("new")


def test_a_setting_is_read_with_its_type_and_default(new_detector):
    new_detector(DETECTOR.format(argument="width: int | None = None, names: list[str] = ['a']"))
    assert detector_registry.detector_settings("new")().plain() == {"width": None, "names": ["a"]}
    assert detector_registry.role("new") == "detector"


@pytest.mark.parametrize(
    "text", ["", "class New: pass", DETECTOR.format(argument="a: int = 1") + "\n\nclass B(New): pass"]
)
def test_a_file_must_define_one_detector(new_detector, text):
    new_detector(text)
    with pytest.raises(TypeError, match="a file must define one"):
        detector_registry.detector_settings("new")
