"""Step 7: the champion predicts over HTTP, or scores files, and predictions are logged.

The service is in `mlsteps.deployment.service`, which needs a web framework.
"""

from typing import TYPE_CHECKING, Any

from .prediction_log import LoggedPredictions, open_log, read_predictions, write_feedback

if TYPE_CHECKING:
    from .score import score_file

__all__ = ["LoggedPredictions", "open_log", "read_predictions", "score_file", "write_feedback"]


def __getattr__(name: str) -> Any:
    """Import scoring when it is asked for: the service has no need of the libraries for files."""
    if name == "score_file":
        from .score import score_file

        return score_file
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
