"""Public names that are imported when they are used, as Scientific Python's SPEC 1 describes."""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def attach(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Return a ``__getattr__`` for a package whose parts are slow to load, or need libraries.

    A service loads a predictor without the search, and where nothing reads files of data.
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return load
