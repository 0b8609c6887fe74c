"""The ability of detectors to keep what it costs much to learn about an image."""

from abc import ABC, abstractmethod


class RemembersImages(ABC):
    """Can keep what it has learned about images, for callers that ask several questions about each."""

    @abstractmethod
    def remember_images(self) -> None:
        """Keep it from now on, as the model will not be trained any more."""
