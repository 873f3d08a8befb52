"""Series become a history to learn from, a test at its end, and a schema."""

from dataclasses import fields

import numpy as np
import pandas as pd

from ..errors import UserError
from ..problem.columns import Column, Inference, convert, describe, doubts, infer
from ..problem.definition import Definition
from ..problem.keys import row_keys
from ..problem.periods import Calendar
from ..problem.seasons import list_seasons
from ..problem.series import PERIOD, SERIES, align, known_kinds
from .features import PLACE, AddFeatures, check_finite, feature_kind, make_features
from .panel import Panel
from .schema import KEY, Prepared, Schema, TrainedOn
from .split import TakeTest

MOST_LABELS = 20  # of a category that is known ahead; rarer ones count as none of them


def prepare_series(
    raw: pd.DataFrame,
    definition: Definition,
    take_test: TakeTest,
    add_features: AddFeatures,
    trained_on: TrainedOn | None,
) -> Prepared:
    """Align series to their calendar, type what is known ahead, and keep the end for the test."""
    aligned, columns = align(raw, definition), definition.columns
    rows, names = aligned.rows, columns.series_names()
    kinds = {
        columns.date: infer(raw[columns.date], columns.date_written()),
        **{name: Inference("category", "tells the series") for name in names},
        **known_kinds(definition, raw),
    }
    inputs = pd.DataFrame({n: convert(rows[n], k.kind, k.written) for n, k in kinds.items()})
    features = check_finite(make_features(inputs, add_features))
    derived = {str(n): feature_kind(features[n], inputs, kinds) for n in features}
    for name, kind in derived.items():
        if name not in kinds and kind.kind not in ("number", "category"):
            raise UserError(
                f'{PLACE} makes "{name}", which {kind.reason}; what is known ahead of time has to '
                "be a number or a category."
            )
    may_test = np.ones(len(rows), bool) if trained_on is None else ~trained_on(raw.loc[rows.index])
    horizons = {"test_horizons": aligned.test_horizons}  # no longer "auto"
    split = definition.split.model_copy(update=horizons)
    test = take_test(rows, definition.model_copy(update={"split": split}), may_test)
    start = int(rows.loc[test, PERIOD].min())
    if (rows.loc[~test, PERIOD] >= start).any():
        raise UserError(
            "take_test in preparation/split.py has to take all rows from one date on: series are "
            "forecast from what came before it."
        )
    schema = Schema(
        problem=definition.problem.type,
        target=aligned.target,
        decimal=definition.data.decimal,
        target_written=infer(raw[aligned.target], "number", definition.data.decimal).written,
        inputs=[describe(inputs.loc[~test, n], k.kind, k.written) for n, k in kinds.items()],
        features=[describe(features.loc[~test, n], k.kind) for n, k in derived.items()],
        ignored=columns.not_features(),
        decision={
            **vars(aligned.calendar),
            "season": aligned.season,
            "seasons": aligned.seasons,
            "horizon": definition.problem.horizon,
            "gaps": definition.preparation.gaps,
            "duplicates": definition.preparation.duplicates,
            "date": columns.date,
            "series": names,
        },
    )
    periods = aligned.history[PERIOD]
    summary = (
        f"{len(aligned.lengths()):,} series, {start - int(periods.min()):,} periods to learn from "
        f"and {int(periods.max()) + 1 - start} to test"
    )
    keys = row_keys(raw.loc[rows.index])
    return Prepared(
        features,
        rows[[aligned.target, SERIES, PERIOD]].assign(**{KEY: keys}),
        ~test,
        test,
        schema,
        "; ".join([summary + (f", {aligned.gaps:,} gaps" if aligned.gaps else ""), *doubts(kinds)]),
        {
            "rows joined with another of their date, or the same": aligned.joined,
            "dates without a value": aligned.gaps,
            "series too short": len(aligned.dropped),
            "season": list_seasons(aligned.seasons),
            "the test begins": aligned.calendar.texts([start])[0],
        },
        {name: kind.reason for name, kind in kinds.items()},
    )


def calendar_of(schema: Schema) -> Calendar:
    """Return the calendar of the series."""
    known = [field.name for field in fields(Calendar)]
    return Calendar(**{k: value for k, value in schema.decision.items() if k in known})


def known_columns(schema: Schema, columns: list[Column]) -> list[Column]:
    """Return the columns that are neither the date nor tell the series apart."""
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


def panel_of(rows: pd.DataFrame, schema: Schema) -> Panel:
    """Return prepared rows as a panel; a gap in what is known ahead takes the value before it."""
    names = sorted(rows[SERIES].unique())
    numbers = pd.concat([rows[schema.target].astype(float), as_numbers(rows, schema)], axis=1)
    start = int(rows[PERIOD].min())
    cube = np.full((int(rows[PERIOD].max()) + 1 - start, len(names), numbers.shape[1]), np.nan)
    cube[rows[PERIOD].to_numpy() - start, pd.Index(names).get_indexer(rows[SERIES])] = numbers
    history, known = cube[:, :, 0], cube[:, :, 1:]
    length = np.flatnonzero(~np.isnan(history).all(axis=1)).max(initial=-1) + 1
    filled = pd.DataFrame(known.reshape(len(known), -1)).ffill().bfill().fillna(0.0)
    known = filled.to_numpy().reshape(known.shape)
    return Panel(names, start, history[:length].T, known.transpose(1, 0, 2))
