"""Write the training rows, the test rows and the schema."""

import shutil
from collections.abc import Iterable

import pandas as pd

from ..errors import UserError
from ..files import PART_ROWS, remove_unfinished, replacing, write_text
from ..problem.project import Project
from ..problem.sample import FOLDER, read_sample, said_of, write_sample
from ..report import counted, facts, table, write_card
from .features import AddFeatures
from .rows import how_written, prepare_rows
from .schema import TrainedOn
from .series import prepare_series
from .split import TakeTest


def prepare(
    project: Project,
    raw: pd.DataFrame,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None = None,
    rest: Iterable[pd.DataFrame] | None = None,
) -> str:
    """Split and type the raw rows; write train.parquet, test.parquet and schema.json.

    With ``[split] all_rows``, write the folder rest as well.

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
    rest : iterable of DataFrame, optional
        The rows outside of the sample, as `mlsteps.collection.read_rest` yields them, or cleaned.
        They are needed with ``[split] all_rows`` only.

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
    from . import rest as outside  # needs pyarrow, which the image of a service does without

    definition, sample = project.collected(), read_sample(project.raw / FOLDER)
    learnt = sample if getattr(definition.split, "all_rows", False) else None
    if learnt and rest is None:
        raise UserError(
            "[split] all_rows is true, but the step `prepare` in pipeline.py is not given the rows "
            "outside of the sample; end its call with rest=map(clean, read_rest(project)), or set "
            "all_rows to false."
        )
    # Before the columns that become inputs are taken out of the rows.
    told = (how_written(raw, definition), outside.keys_of_sample(raw, definition)) if learnt else ()
    make = prepare_series if definition.problem.of_series else prepare_rows
    prepared = make(raw, definition, take_test, add_features, trained_on)
    schema, path = prepared.schema, project.prepared / "schema.json"
    path.unlink(missing_ok=True)  # written last: where it exists, the rows are complete
    remove_unfinished(project.prepared)
    for name, part in {"train": prepared.train, "test": prepared.test}.items():
        with replacing(project.prepared / f"{name}.parquet", private=True) as file:
            rows = pd.concat([prepared.features[part], prepared.rows[part]], axis="columns")
            rows.to_parquet(file, row_group_size=PART_ROWS)
    shutil.rmtree(project.prepared / outside.FOLDER, ignore_errors=True)
    kept = 0
    if learnt:
        kept = outside.prepare_rest(
            project.prepared, rest or (), learnt, definition, schema, add_features, *told
        )
    write_sample(project.prepared, sample)
    write_text(path, schema.model_dump_json(indent=2) + "\n")

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
    summary += f"; {counted(kept, 'row')} outside of it for all_rows" if learnt else ""
    write_card(project.reports, "prepare", summary, facts(losses), table(columns))
    return summary
