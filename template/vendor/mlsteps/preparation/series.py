"""Series become a history to learn from, a test at its end, and a schema."""

import numpy as np
import pandas as pd

from ..errors import UserError
from ..problem.check_series import known_kinds
from ..problem.columns import Column, Inference, convert, describe, infer
from ..problem.definition import Definition
from ..problem.keys import row_keys
from ..problem.series import PERIOD, SERIES, Arranged, arrange
from .features import PLACE, AddFeatures, check_finite, make_features
from .panel import Panel
from .schema import KEY, Prepared, Schema, TrainedOn
from .split import TakeTest

MOST_LABELS = 20  # of a category that is known ahead; rarer ones count as none of them


def prepare_series(
    raw: pd.DataFrame, definition: Definition, take_test: TakeTest, add_features: AddFeatures, learnt: TrainedOn | None
) -> Prepared:
    """Bring series onto their calendar, type what is known ahead, and keep the end for the test.

    Parameters
    ----------
    raw
        The rows as collected.
    take_test, add_features
        The project's own.
    learnt
        Tells which raw rows must not be in the test, because a champion was trained on them.

    Raises
    ------
    UserError
        If a value does not fit its column, or the series are too short.
    """
    arranged = arrange(raw, definition)
    rows, target = arranged.rows, definition.problem.target
    kinds = known_kinds(definition, raw)
    date = infer(raw[definition.columns.date])
    kinds = (
        {definition.columns.date: Inference("date", "is the date", date.date_format)}
        | {n: Inference("category", "tells the series") for n in definition.columns.series_names()}
        | kinds
    )
    inputs = pd.DataFrame({n: convert(rows[n], k.kind, k.date_format) for n, k in kinds.items()})
    features = check_finite(make_features(inputs, add_features))
    derived = {n: kinds.get(n) or _added(features[n]) for n in map(str, features.columns)}
    known = learnt(raw.loc[rows.index]) if learnt is not None else np.zeros(len(rows), bool)
    train = ~take_test(rows, definition, ~known)
    start = int(rows.loc[~train, PERIOD].min())
    if (rows.loc[train, PERIOD] >= start).any():
        raise UserError(
            "take_test in preparation/split.py has to take all rows from one date on: series are "
            "forecast from what came before it."
        )
    schema = Schema(
        problem=definition.problem.type,
        target=target,
        inputs=[describe(inputs.loc[train, n], k.kind, k.date_format) for n, k in kinds.items()],
        features=[describe(features.loc[train, n], k.kind) for n, k in derived.items()],
        ignored=definition.columns.not_features(),
        decision={
            "frequency": arranged.calendar.frequency,
            "place": arranged.calendar.place,
            "season": arranged.season,
            "horizon": definition.problem.horizon,
            "gaps": definition.preparation.gaps,
            "duplicates": definition.preparation.duplicates,
            "date": definition.columns.date,
            "series": definition.columns.series_names(),
        },
    )
    beside = rows[[target, SERIES, PERIOD]].assign(**{KEY: row_keys(raw.loc[rows.index])})
    return Prepared(
        features,
        beside,
        train,
        ~train,
        schema,
        _summary(arranged, target, start, definition),
        _losses(arranged, start, definition),
        {name: told.reason for name, told in kinds.items()},
    )


def known_columns(schema: Schema, columns: list[Column]) -> list[Column]:
    """Return those of the inputs or features that are neither the date nor tell the series apart."""
    others = {schema.decision["date"], *schema.decision["series"]}
    return [column for column in columns if column.name not in others]


def as_numbers(features: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return what is known ahead of time as numbers.

    A missing number becomes the median of the history; a category has a column for each of its
    frequent labels.
    """
    found = {}
    for column in known_columns(schema, schema.features):
        values = features[column.name]
        if column.kind == "number":
            typical = column.example if isinstance(column.example, float) else 0.0
            found[column.name] = values.astype(float).fillna(typical)
        else:
            for label in column.categories[:MOST_LABELS]:
                found[f"{column.name} = {label}"] = (values == label).astype(float)
    return pd.DataFrame(found, index=features.index)


def number_names(schema: Schema) -> list[str]:
    """Return the names of the columns that `as_numbers` makes."""
    features = pd.DataFrame(columns=[column.name for column in schema.features])
    return list(as_numbers(features, schema).columns)


def panel_of(rows: pd.DataFrame, schema: Schema, names: list[str] | None = None) -> Panel:
    """Return prepared rows as a panel; a gap in what is known ahead takes the value before it.

    Parameters
    ----------
    rows
        With the features of the schema, the target, `SERIES` and `PERIOD`.
    names
        The series, in order; those of the rows if not given.
    """
    names = sorted(rows[SERIES].unique()) if names is None else names
    numbers = as_numbers(rows, schema)
    table = pd.concat([rows[[schema.target, SERIES, PERIOD]], numbers], axis=1)
    start = int(rows[PERIOD].min())
    places = pd.Index(names).get_indexer(table[SERIES])
    times = table[PERIOD].to_numpy() - start
    cube = np.full((len(names), int(times.max()) + 1, 1 + numbers.shape[1]), np.nan)
    cube[places, times] = table[[schema.target, *numbers]].to_numpy(dtype=float)
    seen = np.flatnonzero(~np.isnan(cube[:, :, 0]).all(axis=0))
    periods = int(seen[-1]) + 1 if len(seen) else 0
    known = cube[:, :, 1:]
    for k in range(known.shape[2]):
        column = pd.DataFrame(known[:, :, k].T)
        known[:, :, k] = column.ffill().bfill().fillna(0.0).to_numpy().T
    return Panel(list(names), start, cube[:, :periods, 0], known)


def _added(values: pd.Series) -> Inference:
    told = infer(values)
    if told.kind not in ("number", "category"):
        raise UserError(
            f'{PLACE} makes "{values.name}", which {told.reason}; what is known ahead of time has '
            "to be a number or a category."
        )
    return told


def _summary(arranged: Arranged, target: str, start: int, definition: Definition) -> str:
    history = arranged.rows[arranged.rows[target].notna()]
    number = history[SERIES].nunique()
    tested = int(history[PERIOD].max()) + 1 - start
    said = (
        f"{number:,} series, {start - int(history[PERIOD].min()):,} periods to learn from and "
        f"{tested} to test"
    )
    return said + (f", {arranged.gaps:,} gaps" if arranged.gaps else "")


def _losses(arranged: Arranged, start: int, definition: Definition) -> dict[str, object]:
    (date,) = arranged.calendar.texts(np.array([start]))
    return {
        "repeated rows left out": arranged.repeated,
        "rows joined with another of their date": arranged.joined,
        "dates without a value": arranged.gaps,
        "series too short": len(arranged.dropped),
        "season": arranged.season if arranged.season > 1 else "none",
        "the test begins": date,
    }
