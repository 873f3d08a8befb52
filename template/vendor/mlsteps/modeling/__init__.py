"""Step 5: candidates are compared by cross-validation, and the best is fitted and stored."""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .detectors import MeanOfRanks, Neighbours
    from .estimators import Clusterer, Detector
    from .predictor import Predictor, load_predictor
    from .search import Candidate, Trial
    from .store import champion_folder
    from .training import train

__all__ = [
    "Candidate",
    "Clusterer",
    "Detector",
    "MeanOfRanks",
    "Neighbours",
    "Predictor",
    "Trial",
    "champion_folder",
    "load_predictor",
    "train",
]

__getattr__ = attach(
    __name__,
    {
        "Candidate": "search",
        "Clusterer": "estimators",
        "Detector": "estimators",
        "MeanOfRanks": "detectors",
        "Neighbours": "detectors",
        "Predictor": "predictor",
        "Trial": "search",
        "champion_folder": "store",
        "load_predictor": "predictor",
        "train": "training",
    },
)
