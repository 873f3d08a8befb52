"""Step 8: what is served is monitored, retrained, and replaced only by what is better."""

from .comparison import Comparison
from .drift import Drift
from .feedback import take_feedback
from .improve import ImproveResult, improve
from .monitor import MonitorResult, monitor
from .performance import Performance
from .policy import Policy, Reason, Situation

__all__ = [
    "Comparison",
    "Drift",
    "ImproveResult",
    "MonitorResult",
    "Performance",
    "Policy",
    "Reason",
    "Situation",
    "improve",
    "monitor",
    "take_feedback",
]
