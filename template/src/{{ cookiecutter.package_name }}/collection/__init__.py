"""Step 2: the data is fetched, kept as it came, and where it came from is written beside it."""

from .{{ cookiecutter.data_source }} import fingerprint, read

__all__ = ["fingerprint", "read"]
