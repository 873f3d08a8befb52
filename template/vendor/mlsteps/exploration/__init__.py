"""Step 4: what the training rows look like."""

from .explore import explore, standard_sections

__all__ = ["explore", "standard_sections"]
