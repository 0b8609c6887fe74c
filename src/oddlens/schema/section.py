"""The base of every section of the config: strict, frozen, and plain data again on request."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A validated piece of the config. Unknown keys are errors; `plain()` gives back what YAML can hold."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def plain(self) -> dict:
        """The section as nested dicts, lists, strings and numbers."""
        return self.model_dump(mode="json")
