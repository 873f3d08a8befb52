"""Step 8: what is served is watched, retrained, and replaced only by what is better."""

from .compare import Comparison
from .drift import Drift
from .improve import improve
from .monitor import monitor
from .policy import Policy, Situation

__all__ = ["Comparison", "Drift", "Policy", "Situation", "improve", "monitor"]
