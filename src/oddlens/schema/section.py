"""The base class of all sections of the config: strict, frozen, and convertible to plain data."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A validated section of the config.

    Unknown keys, infinite numbers and NaN are errors, and values cannot be changed after validation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def plain(self) -> dict:
        """The section as nested dicts, lists, strings and numbers, as YAML can store it."""
        return self.model_dump(mode="json")
