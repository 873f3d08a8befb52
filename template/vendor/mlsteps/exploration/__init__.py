"""Step 4: exploring the training rows, and them only.

`standard_sections` calls `row_sections` or `series_sections`. These are lists of calls of the other
functions of their modules, so a project can make a list of its own.
"""

from .explore import explore, standard_sections
from .rows import row_sections
from .series import series_sections

__all__ = ["explore", "row_sections", "series_sections", "standard_sections"]
