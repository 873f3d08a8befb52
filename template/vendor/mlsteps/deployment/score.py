"""Score a file with the champion."""

from pathlib import Path

from ..modeling.predictor import LoadPredictor
from ..problem.project import Project
from . import score_rows, score_series


def score_file(
    project: Project, source: str, target: Path, load_predictor: LoadPredictor
) -> str:
    """Write the rows of `source`, or the dates of its series, with predictions beside them.

    Parameters
    ----------
    source
        Any file that `collect` can read, relative to the working directory, or a URL.
    target
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all.
    load_predictor
        Loads the predictor of a version.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If there is no champion, the file cannot be read, its columns do not fit the model, another
        process is making the same file, or the prediction log does not answer.
    """
    score = score_series if project.definition.problem.of_series else score_rows
    return score.score_file(project, source, target, load_predictor)
