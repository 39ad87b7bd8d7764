"""What an action raises."""

from pipeline.errors import DetSearchError


class ActionError(DetSearchError):
    """An action that is not possible for an architecture."""
