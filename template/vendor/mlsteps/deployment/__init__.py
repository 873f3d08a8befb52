"""Step 7: the champion predicts over HTTP, or scores files, and predictions are logged.

The service is in `mlsteps.deployment.service`, which needs a web framework.
"""

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .prediction_log import LoggedPredictions, open_log, read_predictions
    from .score import score_file

__all__ = ["LoggedPredictions", "open_log", "read_predictions", "score_file"]

# The service has no need of the libraries for files, nor the report of those for databases.
__getattr__ = attach(
    __name__,
    {
        "LoggedPredictions": "prediction_log",
        "open_log": "prediction_log",
        "read_predictions": "prediction_log",
        "score_file": "score",
    },
)
