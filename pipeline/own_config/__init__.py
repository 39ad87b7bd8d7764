"""A config for data of a user's own: sizes, lengths and networks that suit them, as a commented file."""
