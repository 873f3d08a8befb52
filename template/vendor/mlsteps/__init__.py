"""What a machine-learning project stands on: a subpackage for each of its eight steps."""

from typing import TYPE_CHECKING

from .errors import UserError
from .lazy import attach

if TYPE_CHECKING:
    from .problem.project import Project, open_project

__version__ = "0.1.0"
__all__ = ["Project", "UserError", "__version__", "open_project"]


# pandas takes half a second to load, and --help waits.
__getattr__ = attach(__name__, {"Project": "problem.project", "open_project": "problem.project"})
