"""The section `training`: how the training loop trains."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt

from oddlens.schema.section import Section


class Training(Section):
    """How the training loop trains. Each row can override any key."""

    epochs: NonNegativeInt = 20
    """Passes over the training set."""
    batch_size: PositiveInt = 128
    """Images of one step."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """`auto` is bfloat16 (autocast) where the processor multiplies it natively, else float32."""
    gradient_clip: NonNegativeFloat = 0.0
    """The largest norm of the gradient; 0 does not clip."""
    augmentation: Literal["none", "symmetries"] = "none"
    """`symmetries` turns every image by quarter turns and flips it at random."""
    robust: Literal["none", "trim", "refine", "loe_hard", "loe_soft"] = "none"
    """What is done about anomalies in the training set."""
    assumed_contamination: Annotated[float, Field(gt=0, le=0.5)] = 0.1
    """The fraction of the training images that `robust` assumes to be anomalous."""
    checkpoint_s: NonNegativeFloat = 30.0
    """Seconds between checkpoints."""
