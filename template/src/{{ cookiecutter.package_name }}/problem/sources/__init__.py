"""``[data]``: where the rows come from, by the kind of source."""

from .{{ cookiecutter.data_source }} import SOURCE, Data

__all__ = ["SOURCE", "Data"]
