"""Write the training rows, the test rows and the schema."""

import pandas as pd

from ..files import PART_ROWS, replacing, write_text
from ..problem.project import Project
from ..report import facts, table, write_card
from .features import AddFeatures
from .rows import prepare_rows
from .schema import Prepared, TrainedOn
from .series import prepare_series
from .split import TakeTest


def prepare(
    project: Project,
    raw: pd.DataFrame,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None = None,
) -> str:
    """Clean, split and type the raw rows; write train.parquet, test.parquet and schema.json.

    Parameters
    ----------
    project
        Its data/prepared and its report are written.
    raw : DataFrame
        The rows as collected, or cleaned; their index has to be unique. To save memory, the columns
        that become inputs are taken out of it.
    take_test
        Returns which rows are for the test, as `take_test` of this package does.
    add_features
        Returns the features of rows; called with the inputs of all rows.
    trained_on
        Returns which of some raw rows a champion was trained on; these are not taken for the test.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If a value does not fit its column, or the rows cannot be split.
    """
    make = prepare_series if project.definition.problem.of_series else prepare_rows
    prepared = make(raw, project.definition, take_test, add_features, trained_on)
    for name, part in {"train": prepared.train, "test": prepared.test}.items():
        with replacing(project.prepared / f"{name}.parquet") as path:
            rows = pd.concat([prepared.features[part], prepared.rows[part]], axis="columns")
            rows.to_parquet(path, row_group_size=PART_ROWS)
    # The schema is written last: where it exists, the rows are complete.
    write_text(project.prepared / "schema.json", prepared.schema.model_dump_json(indent=2) + "\n")
    _write_card(project, prepared)
    return prepared.summary


def _write_card(project: Project, prepared: Prepared) -> None:
    schema, reasons = prepared.schema, prepared.reasons
    columns = [
        {"column": c.name, "kind": c.kind, "why": reasons[c.name], "always there": c.required}
        for c in schema.inputs
    ]
    inputs = {c.name for c in schema.inputs}
    added = ", ".join(c.name for c in schema.features if c.name not in inputs)
    losses = {
        **prepared.losses,
        "features added": added or "none",
        "not given to the model": ", ".join(schema.ignored),
    }
    write_card(project.reports, "prepare", prepared.summary, facts(losses), table(columns))
