"""Rows are asked one by one."""

from ...collection.collect import read_raw
from ...files import read_frame
from ...modeling.predictor import load_predictor
from ...preparation.schema import Schema, read_schema
from ...preparation.sets import GROUP
from ...problem.columns import Column
from ...problem.project import Project
from .both import Both


def ask_both(project: Project, champion: str, challenger: str) -> Both:
    """Let both answer the test rows, the champion as it would if it were asked today.

    Raises
    ------
    UserError, ConversionError
        If the champion cannot answer rows of today.
    """
    test = read_frame(project.prepared / "test.parquet")
    target = test[read_schema(project.prepared / "schema.json").target]
    raw = read_raw(project).loc[test.index]
    answers = load_predictor(project.models / champion).predict(raw)
    rival_answers = load_predictor(project.models / challenger).answer(test)
    return Both(target, answers, rival_answers, test.get(GROUP))


def watched(schema: Schema, date: str) -> tuple[list[Column], bool]:
    """Return the features whose drift is watched, and whether that of the answers is.

    The date of the rows is left out: time always goes on.
    """
    return [column for column in schema.features if column.name != date], True
