"""The section `real.<name>`: real lenses to be scored and fitted."""

from typing import Annotated, Any

from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from oddlens.config.lens_fits import LensFits
from oddlens.schema.section import Section


class RealLenses(Section):
    """Real lenses to be scored and fitted (`oddlens.observations.lens_index`). A path alone is enough."""

    path: str
    """An index (CSV), a folder with an index or with data.fits, or a FITS file."""
    claimed: Annotated[list[str], Field(default_factory=list)]
    """Lenses with a claimed substructure, besides those that the index marks."""
    pixel_scale_arcsec: PositiveFloat | None = None
    """Of an image whose file does not have it. An index has a column for it."""
    annulus_arcsec: Annotated[list[NonNegativeFloat], Field(min_length=2, max_length=2)] | None = None
    """Use only the pixels between these two radii, and fit no lens light."""
    fit: LensFits | None = None
    """Fit each lens at its own resolution."""

    @property
    def reading(self) -> dict[str, Any]:
        """How `lens_index.read_lenses` reads the path."""
        return self.model_dump(include={"claimed", "pixel_scale_arcsec", "annulus_arcsec"})

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _inner_radius_first(self) -> "RealLenses":
        if self.annulus_arcsec and not self.annulus_arcsec[0] < self.annulus_arcsec[1]:
            raise ValueError(f"annulus_arcsec is {self.annulus_arcsec}: the first radius must be the smaller")
        return self
