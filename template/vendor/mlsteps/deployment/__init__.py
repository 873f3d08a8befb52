"""Step 7: the champion answers over HTTP, or scores files."""

from .score import score_file

__all__ = ["score_file"]
