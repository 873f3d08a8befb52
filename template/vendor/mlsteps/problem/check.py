"""Check the definition against the data, and say the problem in plain words."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from .. import report
from ..errors import UserError
from . import check_rows, check_series
from .columns import Inference
from .definition import Definition
from .metric import Metric, Metrics, all_metrics, select_metric
from .project import Project
from .values import check_present

TARGET = "[problem] target"


@dataclass(frozen=True)
class Checked:
    """A definition that fits its data.

    Attributes
    ----------
    sentences
        The problem in plain words.
    columns
        What each column of the data is for, one mapping each.
    """

    sentences: list[str]
    columns: list[dict[str, Any]]


def define(project: Project, frame: pd.DataFrame, metrics: Metrics) -> str:
    """Check the definition of `project` against its data, and leave a card for the report.

    Returns
    -------
    str
        The problem in plain words, a sentence on each line.

    Raises
    ------
    UserError
        If the two do not fit.
    """
    checked = check(project.definition, frame, metrics)
    first, *others = checked.sentences
    report.write_card(
        project.reports,
        "define",
        first,
        *map(report.paragraph, others),
        report.details("Columns", report.table(checked.columns, "What the columns are for")),
    )
    return "\n".join(checked.sentences)


def check(definition: Definition, frame: pd.DataFrame, metrics: Metrics) -> Checked:
    """Check every part of the definition that names or needs data.

    Parameters
    ----------
    definition
        What project.toml says.
    frame
        The rows as collected.

    Raises
    ------
    UserError
        If a column is absent, the target cannot be learnt, values do not fit, or there are too
        few rows, groups or dates.
    """
    kind = definition.problem.type
    metric = select_metric(definition.problem.metric, all_metrics(kind, metrics))
    _check_names(definition, frame)
    look = check_series.look if definition.problem.of_series else check_rows.look
    looked = look(definition, frame)
    sentences = [looked.task, *looked.test, *_bar(definition, metric), *looked.notes]
    return Checked(sentences, _columns(definition, frame, looked.kinds))


def _check_names(definition: Definition, frame: pd.DataFrame) -> None:
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise UserError(f'The data has more than one column "{twice[0]}"; names must differ.')
    named = {
        TARGET: [definition.problem.target] if definition.problem.target else [],
        **definition.columns.named(),
    }
    for key, names in named.items():
        check_present(
            key, names, list(frame.columns), needed=key != TARGET or definition.problem.needs_target
        )


def _bar(definition: Definition, metric: Metric) -> list[str]:
    problem, limits = definition.problem, definition.constraints
    direction = "at least" if metric.higher_is_better else "at most"
    bar = (
        f"Good enough is {metric.title} of {direction} {problem.minimum:,.6g}, clearly better than "
        f"{problem.rival()}."
    )
    cost = (
        f"The model may take {limits.train_seconds:g} s to fit, {limits.model_megabytes:g} MB on "
        f"disk and {limits.predict_milliseconds:g} ms to predict one row."
    )
    return [bar, cost]


def _columns(
    definition: Definition, frame: pd.DataFrame, kinds: dict[str, Inference]
) -> list[dict[str, Any]]:
    columns = definition.columns
    roles = columns.roles() | {definition.problem.target: "target"}
    return [
        {
            "column": name,
            "for": roles.get(name, "input"),
            "kind": kinds[name].kind if name in kinds else None,
            "because it": kinds[name].reason if name in kinds else None,
            "missing, %": 100 * frame[name].isna().mean(),
        }
        for name in frame.columns
    ]
