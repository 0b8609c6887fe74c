"""The mass of a lens: deflections against closed forms and lenstronomy, derivatives against differences."""

import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

from oddlens.observations.modelling.mass_model import MacroModel
from oddlens.observations.modelling.perturber import Perturber, PointMass, PseudoJaffe, SizedPerturber, TruncatedNfwHalo

MACRO = MacroModel()
RAYS = np.random.default_rng(1).uniform(-2, 2, (2, 400))
RAYS = torch.tensor(RAYS[:, np.hypot(*RAYS) > 0.2])


def macro(**values):
    given = dict.fromkeys(MACRO.names, 0.0) | {"einstein_radius": 1.2, "slope": 2.0} | values
    return torch.tensor(list(given.values()), dtype=torch.float64)


def test_halo_and_shear_deflect_as_lenstronomy_says():
    q, angle = 0.7, 0.6
    h = (1 / q - q) / 2
    own = macro(
        ellipse_1=h * np.cos(2 * angle),
        ellipse_2=h * np.sin(2 * angle),
        slope=2.2,
        centre_y=0.05,
        centre_x=-0.03,
        shear_1=0.05,
        shear_2=-0.02,
    )
    e1, e2 = phi_q2_ellipticity(angle, q)
    model = LensModel(["EPL", "SHEAR"])
    halo = {"theta_E": 1.2, "gamma": 2.2, "e1": e1, "e2": e2, "center_x": -0.03, "center_y": 0.05}
    shear = {"gamma1": 0.05, "gamma2": -0.02, "ra_0": -0.03, "dec_0": 0.05}
    theirs = model.alpha(RAYS[1].numpy(), RAYS[0].numpy(), [halo, shear])[::-1]
    np.testing.assert_allclose(MACRO.deflections(own, *RAYS), theirs, atol=2e-6)


@pytest.mark.parametrize("slope", [1.7, 2.0, 2.0 + 1e-7, 2.3])
@pytest.mark.parametrize("order", [1, 3, 4])
def test_a_multipole_has_the_density_it_should(order, slope):
    """Half the divergence of the deflection is kappa, and it has no curl."""
    k, turn, b = 0.02, 0.7, 1.2
    components = {f"multipole_{order}_cos": k * np.cos(turn), f"multipole_{order}_sin": k * np.sin(turn)}
    with_it, without = macro(slope=slope, **components), macro(slope=slope)

    def alpha(y, x):
        return MACRO.deflections(with_it, y, x) - MACRO.deflections(without, y, x)

    step = 1e-4
    by_y = (alpha(RAYS[0] + step, RAYS[1]) - alpha(RAYS[0] - step, RAYS[1])) / (2 * step)
    by_x = (alpha(RAYS[0], RAYS[1] + step) - alpha(RAYS[0], RAYS[1] - step)) / (2 * step)
    r, phi = torch.hypot(*RAYS), torch.atan2(*RAYS)
    weight = (3 - slope) * (slope - 1) / 2
    kappa = weight * k * (b / r) ** (slope - 1) * torch.cos(order * phi - turn)
    np.testing.assert_allclose((by_y[0] + by_x[1]) / 2, kappa, atol=1e-6)
    np.testing.assert_allclose(by_y[1], by_x[0], atol=1e-6)


def test_a_dipole_is_smooth_at_the_isothermal_slope():
    near, at = (MACRO.deflections(macro(slope=s, multipole_1_cos=0.02), *RAYS) for s in (2.0 + 1e-5, 2.0))
    np.testing.assert_allclose(near, at, atol=1e-4)


SHAPE = {"ellipse_1": 0.2, "ellipse_2": -0.1, "shear_1": 0.03, "multipole_1_sin": 0.01, "multipole_4_cos": 0.01}
PARTS = [(MACRO, macro(slope=2.1, centre_y=0.02, **SHAPE))]
PARTS += [
    (Perturber(profile), torch.tensor([0.02, 0.5, -0.6], dtype=torch.float64))
    for profile in (PointMass(0.05), PseudoJaffe(0.3), TruncatedNfwHalo(0.2, 10.0))
]
PARTS.append((SizedPerturber(PseudoJaffe.tidal, 1.4), torch.tensor([0.02, 0.5, -0.6], dtype=torch.float64)))


@pytest.mark.parametrize(("part", "parameters"), PARTS)
def test_derivatives_are_those_of_the_deflections(part, parameters):
    derivatives = part.derivatives(parameters, *RAYS)
    assert len(derivatives) == len(part.names) == len(parameters)
    for k in range(len(parameters)):
        step = torch.zeros_like(parameters)
        step[k] = 1e-4
        above, below = (part.deflections(parameters + sign * step, *RAYS) for sign in (1, -1))
        np.testing.assert_allclose(derivatives[k], (above - below) / 2e-4, atol=2e-4)


def test_a_far_perturber_is_a_point():
    far = torch.tensor([[0.0], [30.0]], dtype=torch.float64)
    for profile in (PointMass(0.05), PseudoJaffe(0.1), TruncatedNfwHalo(0.05, 5.0)):
        alpha = Perturber(profile).deflections(torch.tensor([0.02, 0.0, 0.0], dtype=torch.float64), *far)
        assert float(alpha[1, 0]) == pytest.approx(0.02 / 30, rel=0.02)


def test_the_perturber_of_sdssj0946_has_its_published_size_and_mass():
    """3.51e9 solar masses, of which 2.0e9 lie within 1 kpc; pi Sigma_cr is 1.52e11 solar masses per arcsec^2, and
    3.58 kpc are 1 arcsec."""
    profile = PseudoJaffe.tidal(3.51e9 / 1.52e11, 1.38)
    assert profile.truncation_arcsec * 3.58 == pytest.approx(1.1, abs=0.05)
    assert 3.51e9 * float(profile.within(torch.tensor(1 / 3.58))) == pytest.approx(2.0e9, rel=0.05)
