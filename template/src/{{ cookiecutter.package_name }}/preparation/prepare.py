"""Write the training rows, the test rows and the schema."""

import pandas as pd

from ..collection.collect import read_raw
from ..files import PART_ROWS, replacing, write_text
from ..problem.project import Project
from ..report import facts, table, write_card
from . import make_sets
from .sets import Learnt, Sets


def prepare(project: Project, learnt: Learnt | None = None) -> str:
    """Clean, split and type the raw rows; write train.parquet, test.parquet and schema.json.

    Parameters
    ----------
    project
        Reads its data/raw, writes its data/prepared.
    learnt
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
    sets = make_sets(read_raw(project), project.definition, learnt)
    for name, part in {"train": sets.train, "test": sets.test}.items():
        with replacing(project.prepared / f"{name}.parquet") as path:
            rows = pd.concat([sets.features[part], sets.rows[part]], axis="columns")
            rows.to_parquet(path, row_group_size=PART_ROWS)
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
