"""Make rows to learn from of the predictions whose truth has come back."""

from ..collection.collect import LABELLED
from ..deployment.prediction_log import log_engine, read_predictions
from ..files import replacing
from ..problem.project import Project

# Where each row comes from. Names of collected columns have no blanks around them, and what is
# not collected is not learnt from.
PREDICTION, VERSION, AT = " prediction", " version", " at"


def add_labelled_rows(project: Project) -> int:
    """Write the predictions whose truth has come back to data/raw/labelled.parquet.

    They look like collected rows, so that all later steps treat them alike; the collected rows
    themselves are not touched. Each has the id of its prediction, the version that answered and
    the time (UTC) beside it.

    Returns
    -------
    int
        How many there are.
    """
    logged = read_predictions(log_engine(project), labelled=True)
    if logged.metadata.empty:
        return 0
    facts, definition = logged.metadata, project.definition
    rows = logged.inputs.copy()
    if definition.problem.learns_from_feedback and definition.problem.target:
        rows[definition.problem.target] = facts["actual"]
    date, group = definition.columns.date, definition.columns.group
    if date and date not in rows:
        rows[date] = facts["at"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    if group and group not in rows:
        rows[group] = facts.index  # nothing is known about who it was, so a group by itself
    for name in rows:
        if rows[name].dtype == object:  # a parquet column has one type
            rows[name] = rows[name].map(str, na_action="ignore")
    rows[PREDICTION], rows[VERSION], rows[AT] = facts.index, facts["version"], facts["at"]
    with replacing(project.raw / LABELLED) as path:
        rows.to_parquet(path, index=False)
    return len(rows)
