"""The root of the errors that a user can act on: shown as a sentence, without a traceback."""


class DetSearchError(Exception):
    """Something the user can mend: a config, a dataset, a file, a device."""


def shortened(text: str, longest: int = 300) -> str:
    """A value's text for a message: of a long one the beginning, and how much more there is."""
    if len(text) <= longest:
        return text
    return f"{text[:longest]}… ({len(text)} characters)"
