"""Step 7: the champion predicts over HTTP, or scores files, and predictions are logged.

The service is in `mlsteps.deployment.service`, which needs a web framework.
"""

from typing import TYPE_CHECKING

from ..lazy import attach
from .prediction_log import LoggedPredictions, open_log, read_predictions

if TYPE_CHECKING:
    from .score import score_file

__all__ = ["LoggedPredictions", "open_log", "read_predictions", "score_file"]

# The service has no need of the libraries for files.
__getattr__ = attach(__name__, {"score_file": "score"})
