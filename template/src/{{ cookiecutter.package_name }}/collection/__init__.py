"""Step 2: the data is fetched, kept as it came, and where it came from is written beside it."""

from .{{ cookiecutter.data_source }} import open_stream

__all__ = ["open_stream"]
