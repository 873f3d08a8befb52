"""Step 3: raw rows become training rows, test rows and a schema."""

from ..problem.columns import Column
from ..problem.definition import Definition
from ..problem.eligible import DATE
from .panel import Panel
from .prepare import prepare
from .schema import GROUP, Schema, TrainedOn
from .split import Folds, cut_folds, take_test
from .transformers import Clipper, DateParts, SharedUnitScaler, TextTopics

__all__ = [
    "DATE",
    "GROUP",
    "Clipper",
    "Column",
    "DateParts",
    "Definition",
    "Folds",
    "Panel",
    "Schema",
    "SharedUnitScaler",
    "TextTopics",
    "TrainedOn",
    "cut_folds",
    "prepare",
    "take_test",
]
