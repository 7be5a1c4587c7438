"""The package's only exception."""


class IncentivesError(Exception):
    """A contribution, tree or record that cannot be right; the message says which value and what to do."""
