"""Forecast into a file, from the history that the model knows and what a file adds to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid5

import pandas as pd
import sqlalchemy as sa

from ..collection.tables import read_tables
from ..errors import UserError
from ..files import replacing
from ..modeling import store
from ..modeling.predictor import LoadPredictor, Predictor
from ..modeling.forecast_predictor import ANSWER
from ..problem.columns import ConversionError
from ..problem.project import Project
from ..problem.series import SEPARATOR, label_series
from .prediction_log import (
    PREDICTIONS,
    SHADOW,
    log_engine,
    prediction_rows,
    shadow_rows,
    write_once,
)
from .score_target import ID, LOGGED_BEFORE, NO_ANSWER, check_target, run_id, writing

LOGGED = ["unit", "step"]  # of an answer, in the log only
WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    ".csv": lambda frame, path: frame.to_csv(path, index=False),
    ".parquet": lambda frame, path: frame.to_parquet(path, index=False),
    ".jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
}


def score_file(
    project: Project, source: str, target: Path, load_predictor: LoadPredictor
) -> str:
    """Forecast the series of `source` with the champion: a row for each series and date.

    Rows of the file that have the target are history, newer than what the model knows. Rows that
    lack it say which dates to forecast, and what is known of them ahead of time; without such rows
    every series of the file is forecast as far as the model can.

    Parameters
    ----------
    source
        Any file that `collect` can read, relative to the working directory, or a URL.
    target
        A new file, .csv, .parquet or .jsonl; it appears whole or not at all.

    Returns
    -------
    str
        What was done, in a line.

    Raises
    ------
    UserError
        If there is no champion, the file cannot be read, what it holds does not suffice, or the
        prediction log does not answer.
    """
    check_target(target, WRITERS)
    predictor = load_predictor(store.champion_folder(project.models))
    log = log_engine(project) if project.definition.serving.log_files else None
    read = read_tables(source, Path.cwd(), project.definition.data.missing)
    rows = read.frame
    history = _history(predictor, rows)
    try:
        found = _forecast(predictor, rows, history)
    except ConversionError as error:
        raise UserError(f"{source}: the {error}; correct it and forecast again.") from None
    except UserError as error:
        raise UserError(f"{source}: {error.message.rstrip('.')}.") from None
    trouble = ""
    if log is not None:
        digest = " ".join(source.sha256 for source in read.sources)
        run = run_id(project, digest, predictor.version)
        found.insert(0, ID, [uuid5(run, str(k)).hex for k in range(len(found))])
    with writing(target), replacing(target.absolute()) as temporary:
        WRITERS[target.suffix](found.drop(columns=LOGGED), temporary)
        if log is not None:  # only what there will be a file of
            trouble = _remember(project, log, predictor, found, history, load_predictor)
    columns = predictor.schema.decision["series"]
    number = len(found[columns].drop_duplicates()) if columns else 1
    made = f"{len(found):,} forecasts of {number:,} series by {predictor.version}"
    return f"{made} into {target}{trouble}"


def _forecast(predictor: Predictor, rows: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that tell the series and the date, what is known ahead, and the answer."""
    schema, columns = predictor.schema, predictor.schema.decision["series"]
    date = schema.decision["date"]
    absent = [name for name in (date, *columns) if name not in rows.columns]
    if absent:
        raise UserError(f'column "{absent[0]}" is missing; a forecast needs it')
    asked = rows.drop(index=history.index)
    if len(asked):
        told = asked[[c.name for c in schema.inputs if c.name in asked]]
        return pd.concat([told, predictor.predict(rows)], axis=1)
    labels = label_series(rows, columns).dropna().unique().tolist()
    found = predictor.forecast(history=history, series=labels)
    parts = found["series"].str.split(SEPARATOR, n=max(len(columns) - 1, 0), expand=True)
    told = pd.DataFrame({date: found["date"]})
    for place, name in enumerate(columns):
        told[name] = parts[place] if len(columns) > 1 else found["series"]
    return pd.concat([told, found.drop(columns=["series", "date"])], axis=1)


def _history(predictor: Predictor, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose target is known."""
    target = predictor.schema.target
    return rows[rows[target].notna()] if target in rows else rows.iloc[:0]


def _remember(
    project: Project,
    log: sa.Engine,
    predictor: Predictor,
    found: pd.DataFrame,
    history: pd.DataFrame,
    load_predictor: LoadPredictor,
) -> str:
    """Write forecasts to the prediction log, as the service does.

    Returns
    -------
    str
        What is wrong with the challenger, if anything: the file is the champion's.
    """
    trouble, shadow = "", []
    asked = found.drop(columns=[ID, *ANSWER]).astype("str").to_dict("records")
    predictions = dict(zip(found[ID], found[ANSWER].to_dict("records"), strict=True))
    try:
        shadow = _shadow(project, found.set_index(ID), history, load_predictor)
    except (UserError, ConversionError) as error:
        trouble = f"{NO_ANSWER}{error}"
    new = {PREDICTIONS: prediction_rows(predictor.version, asked, predictions), SHADOW: shadow}
    return trouble if write_once(log, new) else trouble + LOGGED_BEFORE


def _shadow(
    project: Project, found: pd.DataFrame, history: pd.DataFrame, load_predictor: LoadPredictor
) -> list[dict[str, Any]]:
    """Return what the challenger forecasts for the same dates, if there is one."""
    version = store.challenger(project.models)
    if version is None:
        return []
    challenger = load_predictor(project.models / version)
    predictions = challenger.beside(found.drop(columns=ANSWER), found[ANSWER], history)
    return shadow_rows(version, predictions.to_dict("index"))
