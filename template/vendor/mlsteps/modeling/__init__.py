"""Step 5: candidates are compared by cross-validation, and the best is fitted and stored."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimators import Clusterer, Detector
    from .predictor import Predictor, load_predictor
    from .search import Candidate, Trial
    from .training import train

__all__ = [
    "Candidate",
    "Clusterer",
    "Detector",
    "Predictor",
    "Trial",
    "load_predictor",
    "train",
]

_MODULES = {
    "Candidate": "search",
    "Clusterer": "estimators",
    "Detector": "estimators",
    "Predictor": "predictor",
    "Trial": "search",
    "load_predictor": "predictor",
    "train": "training",
}


def __getattr__(name: str) -> Any:
    """Import a part when it is used: a service loads a predictor without the search."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_MODULES[name]}", __name__), name)
