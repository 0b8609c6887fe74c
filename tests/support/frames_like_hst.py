"""Frames as the Hubble Space Telescope takes them of known lenses: a power-law halo with a multipole and shear, an
irregular source, the light of the lens galaxy, and drizzled noise. They are rendered without the code under test,
from the closed forms of `lensing.power_law` and astropy's Sersic profile."""

from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from astropy.modeling.models import Sersic2D
from scipy import signal

from oddlens.lensing import power_law, profiles
from oddlens.observations.modelling.observation import Pixels
from oddlens.observations.modelling.pixel_noise import measure_pixel_noise, white_noise

SCALE, SUB_PIXELS = 0.05, 4
DRIZZLE = np.array([[0.07, 0.2, 0.07], [0.2, 1, 0.2], [0.07, 0.2, 0.07]])
DRIZZLE = DRIZZLE / DRIZZLE.sum()
"""White noise under this kernel has the scatter of the noise map in means over many pixels."""


@dataclass(frozen=True)
class Lens:
    """A lens. Angles are in radians, the others in arcsec; the light of the lens is elliptical as its mass."""

    b: float = 0.9
    q: float = 0.75
    angle: float = 0.5
    slope: float = 2.05
    shear: float = 0.04
    shear_angle: float = 1.2
    centre: tuple[float, float] = (0.02, -0.01)
    multipole_4: float = 0.005
    source: tuple[float, float] = (0.06, 0.09)
    clump: tuple[float, float] = (-0.05, 0.02)
    """Of the source, from its centre."""
    perturber: tuple[float, float, float, float] | None = None
    """Area, truncation, y and x of a pseudo-Jaffe profile."""

    def deflections(self, y, x):
        at_y, at_x = y - self.centre[0], x - self.centre[1]
        parts = [
            power_law.ellipsoid(at_y, at_x, self.b, self.q, self.angle, self.slope, np),
            power_law.multipole(at_y, at_x, 4, self.b, self.multipole_4, 0.3, self.slope, np),
            profiles.shear(at_y, at_x, self.shear, self.shear_angle, np),
        ]
        if self.perturber:
            area, a, own_y, own_x = self.perturber
            off_y, off_x = y - own_y, x - own_x
            r = np.hypot(off_y, off_x) + 1e-9
            pull = area * (1 - a / (r + np.hypot(r, a))) / r**2
            parts.append((pull * off_y, pull * off_x))
        return [sum(part) for part in zip(*parts, strict=True)]

    def source_light(self, y, x):
        at_y, at_x = y - self.source[0], x - self.source[1]
        profile = Sersic2D.evaluate(at_x, at_y, 1.0, 0.15, 1.2, 0, 0, 0.3, 1.0)
        clump_y, clump_x = at_y - self.clump[0], at_x - self.clump[1]
        return profile + 1.5 * np.exp(-(clump_y**2 + clump_x**2) / (2 * 0.04**2))

    def lens_light(self, y, x):
        at_y, at_x = y - self.centre[0], x - self.centre[1]
        inner, outer = ((8.0, 0.3, 3.0), (1.0, 1.0, 1.2))
        return sum(Sersic2D.evaluate(at_x, at_y, *shape, 0, 0, 1 - self.q, self.angle) for shape in (inner, outer))


def psf(side=11, width=0.9):
    along = np.arange(side) - side // 2
    kernel = np.exp(-(along[:, None] ** 2 + along**2) / (2 * width**2))
    return kernel / kernel.sum()


def noise_free(lens, pixels=81, peak=1.0, lens_peak=6.0):
    """Images of the source and of the lens galaxy, [pixels, pixels]."""
    count = pixels * SUB_PIXELS
    along = ((np.arange(count) + 0.5) / count - 0.5) * pixels * SCALE
    x, y = np.meshgrid(along, -along)
    alpha = lens.deflections(y, x)
    lights = lens.source_light(y - alpha[0], x - alpha[1]), np.minimum(lens.lens_light(y, x), 1e3)
    means = [light.reshape(pixels, SUB_PIXELS, pixels, SUB_PIXELS).mean(axis=(1, 3)) for light in lights]
    seen = [signal.fftconvolve(mean, psf(), mode="same") for mean in means]
    return [image * height / image.max() for image, height in zip(seen, (peak, lens_peak), strict=True)]


def frame(lens, seed=0, pixels=81, signal_to_noise=25, drizzled=True):
    """The pixels of a frame of a lens."""
    source, light = noise_free(lens, pixels)
    sigma = np.sqrt(1 + (source + light)) / signal_to_noise
    white = np.random.default_rng(seed).standard_normal((pixels + 2, pixels + 2))
    noise = signal.convolve2d(white, DRIZZLE, mode="valid") if drizzled else white[1:-1, 1:-1]
    noise = noise * sigma
    everywhere = np.ones(noise.shape, bool)
    measured = measure_pixel_noise(noise, sigma, everywhere, SCALE) if drizzled else white_noise()
    middle = (pixels - 1) / 2
    masked = np.zeros(noise.shape, bool)
    return Pixels(source + light + noise, sigma, masked, psf(), SCALE, (middle, middle), measured)


def write_frames(folder, lens, z=(0.2, 0.6)):
    """An index with the frame of a lens, one of noise alone, and one whose file does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = frame(lens, pixels=81, signal_to_noise=40)
    noise = pixels.sigma.mean() * np.random.default_rng(2).standard_normal(pixels.image.shape)
    for name, image in (("lens", pixels.image), ("empty", noise), ("noise", pixels.sigma)):
        fits.writeto(folder / f"{name}.fits", image[::-1].astype(np.float32))
    fits.writeto(folder / "psf.fits", pixels.psf.astype(np.float32))
    rows = [f"{name},{SCALE},{name}.fits,noise.fits,psf.fits,{z[0]},{z[1]}" for name in ("lens", "empty", "absent")]
    (folder / "index.csv").write_text("\n".join(["name,pixel_scale_arcsec,data,noise,psf,z_lens,z_source", *rows]))
    return pixels
