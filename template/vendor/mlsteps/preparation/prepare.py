"""Write the training rows, the test rows and the schema."""

import pandas as pd

from ..files import PART_ROWS, replacing, write_text
from ..problem.project import Project
from ..problem.sample import FOLDER, read_sample, said_of, write_sample
from ..report import facts, table, write_card
from .features import AddFeatures
from .rows import prepare_rows
from .schema import TrainedOn
from .series import prepare_series
from .split import TakeTest


def prepare(
    project: Project,
    raw: pd.DataFrame,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None = None,
) -> str:
    """Split and type the raw rows; write train.parquet, test.parquet and schema.json.

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

    Examples
    --------
    With every fifth row for the test, and no feature added::

        def every_fifth(rows, definition, may_test):
            return np.arange(len(rows)) % 5 == 0

        prepare(open_project(), pd.read_csv("data/sales.csv"), every_fifth, lambda rows: rows)
    """
    make = prepare_series if project.definition.problem.of_series else prepare_rows
    prepared = make(raw, project.collected(), take_test, add_features, trained_on)
    schema = prepared.schema
    for name, part in {"train": prepared.train, "test": prepared.test}.items():
        with replacing(project.prepared / f"{name}.parquet", private=True) as path:
            rows = pd.concat([prepared.features[part], prepared.rows[part]], axis="columns")
            rows.to_parquet(path, row_group_size=PART_ROWS)
    sample = read_sample(project.raw / FOLDER)
    write_sample(project.prepared, sample)
    # The schema is written last: where it exists, the rows are complete.
    write_text(project.prepared / "schema.json", schema.model_dump_json(indent=2) + "\n")

    columns = [
        {"column": c.name, "kind": c.kind, "why": reason, "always there": c.required}
        for c, reason in zip(schema.inputs, prepared.reasons.values(), strict=True)
    ]
    added = [c.name for c in schema.features if c.name not in prepared.reasons]
    losses = {
        **prepared.losses,
        "features added": ", ".join(added) or "none",
        "not given to the model": ", ".join(schema.ignored),
    }
    summary = prepared.summary + (f"; from {said_of(sample.record())}" if sample else "")
    write_card(project.reports, "prepare", summary, facts(losses), table(columns))
    return summary
