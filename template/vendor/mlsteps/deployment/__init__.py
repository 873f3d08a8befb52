"""Step 7: the champion predicts over HTTP, or scores files."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .score import score_file

__all__ = ["score_file"]


def __getattr__(name: str) -> Any:
    """Import scoring when it is asked for: the service has no need of the libraries for files."""
    if name == "score_file":
        from .score import score_file

        return score_file
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
