"""The root of the errors that a user can act on: shown as a sentence, without a traceback."""


class DetSearchError(Exception):
    """Something the user can mend: a config, a dataset, a file, a device."""
