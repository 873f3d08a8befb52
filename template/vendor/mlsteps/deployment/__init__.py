"""Step 7: the champion predicts over HTTP, or scores files, and predictions are logged.

The service is in `mlsteps.deployment.service`, which needs a web framework.
"""

from .prediction_log import LoggedPredictions, open_log, read_predictions, write_feedback
from .score import score_file

__all__ = ["LoggedPredictions", "open_log", "read_predictions", "score_file", "write_feedback"]
