"""What a machine-learning project stands on: a subpackage for each of its eight steps."""

from typing import TYPE_CHECKING, Any

from .errors import UserError

if TYPE_CHECKING:
    from .problem.project import Project, open_project

__version__ = "0.1.0"
__all__ = ["Project", "UserError", "__version__", "open_project"]


def __getattr__(name: str) -> Any:
    """Import the project when it is asked for: pandas takes half a second, and --help waits."""
    if name in ("Project", "open_project"):
        from .problem import project

        return getattr(project, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
