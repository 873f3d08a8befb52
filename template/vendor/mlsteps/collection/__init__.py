"""Step 2: rows are fetched, and where they came from is noted."""

from .collect import collect, fingerprint, open_source, preview, read_raw
from .sample import read_rest
from .stream import Stream

__all__ = ["Stream", "collect", "fingerprint", "open_source", "preview", "read_raw", "read_rest"]
