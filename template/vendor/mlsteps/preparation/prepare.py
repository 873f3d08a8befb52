"""Write the training rows, the test rows and the schema."""

import pandas as pd

from ..files import PART_ROWS, replacing, write_text
from ..problem.project import Project
from ..report import facts, table, write_card
from . import rows, series
from .derive import AddFeatures
from .split import TakeTest
from .sets import TrainedOn, Sets


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
        Writes its data/prepared.
    raw
        The rows as collected, perhaps cleaned; their index tells them apart.
    take_test, add_features
        The project's own.
    trained_on
        Tells which raw rows must not be in the test set, because a champion was trained on them.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If a value does not fit its column, or the rows cannot be split.
    """
    definition = project.definition
    make_sets = series.make_sets if definition.problem.of_series else rows.make_sets
    sets = make_sets(raw, definition, take_test, add_features, trained_on)
    for name, part in {"train": sets.train, "test": sets.test}.items():
        with replacing(project.prepared / f"{name}.parquet") as path:
            prepared = pd.concat([sets.features[part], sets.rows[part]], axis="columns")
            prepared.to_parquet(path, row_group_size=PART_ROWS)
    # The schema comes last: where it stands, the rows are whole.
    write_text(project.prepared / "schema.json", sets.schema.model_dump_json(indent=2) + "\n")
    _write_card(project, sets)
    return sets.summary


def _write_card(project: Project, sets: Sets) -> None:
    schema = sets.schema
    columns = [
        {"column": c.name, "kind": c.kind, "why": sets.reasons[c.name], "always there": c.required}
        for c in schema.inputs
    ]
    inputs = {c.name for c in schema.inputs}
    added = ", ".join(c.name for c in schema.features if c.name not in inputs)
    losses = {
        **sets.losses,
        "features added": added or "none",
        "not given to the model": ", ".join(schema.ignored),
    }
    write_card(project.reports, "prepare", sets.summary, facts(losses), table(columns))
