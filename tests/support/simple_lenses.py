"""Lenses of a simulation with little variation, so that their posteriors are small."""

from oddlens.config.presets import preset_simulation
from oddlens.stages.simulate import simulate

SEED = 3
PRIORS = {
    "camera": {"pixels": 20, "pixel_scale_arcsec": 0.3, "psf": {"pixels": 9}},
    "lens": {"shear": {"magnitude": {"uniform": [0.04, 0.06]}, "angle_deg": {"uniform": [20, 30]}}},
    "source": {
        "offset_arcsec": {"uniform": [0.08, 0.12]},
        "offset_angle_deg": {"uniform": [200, 220]},
        "axis_ratio": {"uniform": [0.6, 0.7]},
        "angle_deg": {"uniform": [60, 70]},
        "effective_radius_arcsec": {"uniform": [0.45, 0.55]},
    },
    "substructure": {
        "cdm": None,
        "vortex": None,
        "subhalo": {
            "radius_arcsec": 1.7,
            "angle_deg": {"uniform": [0, 360]},
            "mass_msun": 1e10,
            "truncation_arcsec": 0.2,
        },
    },
}


def simple_simulation():
    return preset_simulation("model_a", above=PRIORS)


def simple_shards(simulation):
    """Two twins: smooth lenses, and the same lenses with a heavy subhalo."""
    return {
        cls: simulate(simulation.only(cls), seed=SEED, dataset="model_a", pool="test", cls=cls, first=0, count=2)
        for cls in ("smooth", "subhalo")
    }
