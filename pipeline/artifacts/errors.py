"""What goes wrong with files that stages exchange."""

from pipeline.errors import DetSearchError


class ArtifactError(DetSearchError):
    """A file or a value cannot be used; the message names it and says what is allowed."""


class PublishError(ArtifactError):
    """A file could not be written, say because the disk is full; the message names it."""
