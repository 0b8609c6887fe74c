"""Names of studies, data sets, rows and variants, which are parts of file names."""

from typing import Annotated

from pydantic import Field

NAME_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
