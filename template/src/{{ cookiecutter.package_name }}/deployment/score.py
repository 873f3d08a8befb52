"""Score a file, or a folder of files."""

from pathlib import Path

from mlsteps import Project
from mlsteps.deployment import score_file

from ..modeling.predictor import load_model


def score(project: Project, source: str, target: Path, *, explain: bool = False) -> str:
    """Write the rows of `source` to `target`, with predictions; return what was done."""
    return score_file(project, source, target, load_model, explain=explain)
