"""Step 5: candidates are compared by cross-validation, and the best is fitted and stored."""

from .candidate import Candidate
from .clusterer import Clusterer
from .detector import Detector
from .predictor import Predictor, load_predictor
from .train import train

__all__ = ["Candidate", "Clusterer", "Detector", "Predictor", "load_predictor", "train"]
