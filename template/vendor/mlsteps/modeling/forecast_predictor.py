"""The predictor of series: it continues them, from the end of what it or the caller knows."""

import difflib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from ..files import read_json
from ..preparation.features import AddFeatures, check_finite, make_features
from ..preparation.panel import Panel
from ..preparation.schema import Schema
from ..preparation.series import panel_of
from ..problem.calendar import Calendar
from ..problem.columns import Column, convert
from ..problem.series import (
    ONLY,
    PERIOD,
    SEPARATOR,
    SERIES,
    join_dates,
    label_series,
    least_periods,
)
from . import store
from .continued import Continued, overlay
from .forecasters.naive import usual_change
from .forecasting import cover
from .row_predictor import Adjust

RECENT = 36  # periods of each series that `describe` tells
SHOWN_SERIES = 100  # that it tells of
ANSWER = ["prediction", "low", "high", "unit", "step"]


class WrongQuestionError(UserError):
    """A forecast that cannot be made of what was given.

    Attributes
    ----------
    field
        The part of the question that is at fault.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ForecastPredictor:
    """A fitted forecaster with its schema.

    Attributes
    ----------
    folder
        Where the version is stored.
    version
        The name of that folder.
    schema
        The columns it needs, and the decision: calendar, season, horizon and intervals.
    """

    def __init__(
        self,
        folder: Path,
        pipeline: Continued,
        schema: Schema,
        add_features: AddFeatures,
        adjust: Adjust,
    ) -> None:
        self.folder = folder
        self.version = folder.name
        self.pipeline = pipeline
        self.schema = schema
        self._add_features = add_features
        self._adjust = adjust
        self._panel = pipeline.panel()
        self._calendar = Calendar(schema.decision["frequency"], schema.decision["place"])

    def forecast(
        self,
        horizon: int | None = None,
        history: pd.DataFrame | None = None,
        future: pd.DataFrame | None = None,
        series: list[str] | None = None,
    ) -> pd.DataFrame:
        """Continue the series.

        Parameters
        ----------
        horizon
            Periods ahead, the most there are if not given.
        history
            Values that are newer than what the model knows, or correct it: rows with the date, the
            columns that tell the series, the target, and what is known ahead of time.
        future
            What is known ahead of time: rows with the date and such columns, and those that tell
            the series; without them a row holds for each series.
        series
            Labels of the series to forecast, all if not given.

        Returns
        -------
        DataFrame
            ``series``, ``date``, ``prediction``, ``low``, ``high``, ``unit`` and ``step``, and what
            is known ahead of each date, sorted by series and date.

        Raises
        ------
        WrongQuestionError
            If the horizon is too long, a series is unknown, or a column that is known ahead of time
            is missing for a date.
        ConversionError
            If a value does not fit its column.
        """
        decision = self.schema.decision
        horizon = decision["horizon"] if horizon is None else horizon
        if not 1 <= horizon <= decision["horizon"]:
            raise WrongQuestionError(
                "horizon",
                f"horizon is {horizon:,}, but the model was tested on 1 to "
                f"{decision['horizon']:,} periods; set [problem] horizon and train again for more",
            )
        panel = self._panel
        if history is not None and len(history):
            panel = overlay(panel, panel_of(self._arranged(history, "rows"), self.schema))
        names = self._chosen(panel, series)
        panel, told = self._with_future(panel, names, horizon, future)
        predictions = self._continue(panel, panel.periods, names, horizon)
        predictions["date"] = self._calendar.texts(predictions[PERIOD].to_numpy())
        columns = ["series", "date", *ANSWER]
        return pd.concat([predictions.rename(columns={SERIES: "series"})[columns], told], axis=1)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Answer rows that have a date and a series, but no target; those with one are history.

        Dates that the model knows already are forecast as if it did not: the history ends before
        the first date that is asked for.

        Returns
        -------
        DataFrame
            With the index of the rows that were asked: ``prediction``, ``low``, ``high``, ``unit``,
            by which MASE measures, and ``step``, periods after the end of the history.

        Raises
        ------
        WrongQuestionError
            If dates are too far ahead, or a series is unknown.
        ConversionError
            If a value does not fit its column.
        """
        target, panel = self.schema.target, self._panel
        asked = rows[target].isna() if target in rows else pd.Series(True, index=rows.index)
        if not asked.all():
            panel = overlay(panel, panel_of(self._arranged(rows[~asked], "rows"), self.schema))
        wanted = self._arranged(rows[asked].drop(columns=target, errors="ignore"), "future")
        names = self._chosen(panel, wanted[SERIES].tolist())
        origin = min(int(wanted[PERIOD].min()), panel.end)
        horizon, most = int(wanted[PERIOD].max()) + 1 - origin, self.schema.decision["horizon"]
        if horizon > most:
            (last,) = self._calendar.texts(np.array([origin + horizon - 1]))
            raise WrongQuestionError(
                "future",
                f"{last} is {horizon:,} periods after what is known, but the model was tested on 1 "
                f"to {most:,}; send newer values, or train again",
            )
        panel = overlay(panel, panel_of(wanted, self.schema, panel.names))
        predictions = self._continue(panel, origin - panel.start, names, horizon)
        keys = pd.MultiIndex.from_frame(wanted[[SERIES, PERIOD]])
        found = predictions.set_index([SERIES, PERIOD])[ANSWER].loc[keys]
        return found.set_axis(wanted.index)

    def beside(
        self, rows: pd.DataFrame, others: pd.DataFrame, history: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Forecast what another version has forecast, from where that began.

        Parameters
        ----------
        rows : DataFrame of n rows
            The dates of one question, without the target.
        others : DataFrame of n rows
            What the other version answered, with the index of `rows`.
        history
            Newer values that came with the question.

        Returns
        -------
        DataFrame
            As `predict`, of those rows by which the two can be compared: within this version's
            horizon, as many steps ahead, and not among what this one has learnt. Errors of both
            are measured by the unit of the other.

        Raises
        ------
        WrongQuestionError
            If a series is unknown.
        ConversionError
            If a value does not fit its column.
        """
        steps = others["step"]
        within = rows[steps <= self.schema.decision["horizon"]]
        predictions = self.predict(within if history is None else pd.concat([history, within]))
        learnt = self.places(within)[PERIOD] < self._panel.end
        same = predictions[~learnt & (predictions["step"] == steps[within.index])]
        return same.assign(unit=others["unit"])

    def places(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the series and the period of each row, with the index of the rows."""
        told = rows.drop(columns=self.schema.target, errors="ignore")
        return self._arranged(told, "future")[[SERIES, PERIOD]]

    def _continue(self, panel: Panel, periods: int, names: list[str], horizon: int) -> pd.DataFrame:
        """Forecast series after so many periods of their panel."""
        decision = self.schema.decision
        head = panel.head(periods, decision["gaps"])
        head = head.rows(pd.Index(head.names).get_indexer(names))
        predicted = self.pipeline.forecaster.forecast(head, horizon)
        unit = usual_change(head.history, decision["season"])
        predictions = pd.DataFrame(
            {
                SERIES: np.repeat(names, horizon),
                PERIOD: np.tile(head.end + np.arange(horizon), len(names)),
                "prediction": predicted.ravel(),
                "unit": np.repeat(unit, horizon),
                "step": np.tile(np.arange(1, horizon + 1), len(names)),
            }
        )
        predictions = cover(predictions, decision)
        dates = self._calendar.dates(predictions[PERIOD].to_numpy())
        rows = pd.DataFrame({"series": predictions[SERIES], "date": dates})
        return self._adjust(predictions, rows)

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test, and what it is asked with."""
        run = read_json(self.folder / store.RUN)
        metrics = self.folder / store.METRICS
        decision, panel = self.schema.decision, self._panel
        recent = self._calendar.texts(np.arange(max(panel.start, panel.end - RECENT), panel.end))
        return {
            "version": self.version,
            "problem": self.schema.problem,
            "target": self.schema.target,
            "model": run["model"],
            "trained": run["trained"],
            "metric": run["metric"],
            "test": read_json(metrics)["test"] if metrics.exists() else {},
            "classes": [],
            "horizon": decision["horizon"],
            "frequency": self._calendar.words(),
            "season": decision["season"],
            "date": decision["date"],
            "series": {"columns": decision["series"], "labels": panel.names},
            "known": [column.model_dump() for column in self.known()],
            "history": {"until": recent[-1], "dates": recent},
            "inputs": [column.model_dump() for column in self.schema.inputs],
            "example": self.question(),
            "recent": {name: self._recent(name) for name in panel.names[:SHOWN_SERIES]},
        }

    def question(self) -> dict[str, Any]:
        """Return what the service can be asked, as an example."""
        question: dict[str, Any] = {"horizon": self.schema.decision["horizon"]}
        future = self.typical_future()
        if future is not None:
            question["future"] = future.to_dict("records")
        return question

    def _recent(self, series: str) -> list[float | None]:
        """Return the newest values of a series, as many as `describe` has dates."""
        row = self._panel.history[self._panel.names.index(series), -RECENT:]
        return [None if np.isnan(value) else float(value) for value in row]

    def known(self) -> list[Column]:
        """Return the inputs that have to be known ahead of time."""
        told = {self.schema.decision["date"], *self.schema.decision["series"]}
        return [column for column in self.schema.inputs if column.name not in told]

    def typical_future(self) -> pd.DataFrame | None:
        """Return typical values of what is known ahead for the next dates, None if nothing is."""
        known = self.known()
        if not known:
            return None
        dates = self._calendar.texts(self._panel.end + np.arange(self.schema.decision["horizon"]))
        typical = {column.name: column.example for column in known}
        return pd.DataFrame({self.schema.decision["date"]: dates}).assign(**typical)

    def _chosen(self, panel: Panel, series: list[str] | None) -> list[str]:
        """Return the series to forecast, once each was found to have enough of a history."""
        names = panel.names if series is None else list(dict.fromkeys(series))
        least = least_periods(self.schema.decision["season"])
        lengths = dict(zip(panel.names, panel.lengths(), strict=True))
        for name in names:
            if name not in lengths:
                close = difflib.get_close_matches(name, panel.names, n=1)
                hint = f'did you mean "{close[0]}"?' if close else "send its history in rows"
                raise WrongQuestionError("series", f'the model knows no series "{name}"; {hint}')
            if lengths[name] < least:
                raise WrongQuestionError(
                    "rows",
                    f'the series "{name}" has {lengths[name]:,} periods, but a forecast needs '
                    f"{least:,}; send more of its history",
                )
        return names

    def _with_future(
        self, panel: Panel, names: list[str], horizon: int, future: pd.DataFrame | None
    ) -> tuple[Panel, pd.DataFrame]:
        """Add what is known ahead of time, and return it for each series and date as well."""
        decision = self.schema.decision
        periods = panel.end + np.arange(horizon)
        asked = pd.DataFrame(
            {SERIES: np.repeat(names, horizon), PERIOD: np.tile(periods, len(names))}
        )
        known = [column.name for column in self.known()]
        stored = panel.known.shape[1] - panel.periods  # the data itself told so far ahead
        if not known or (future is None and stored >= horizon):
            return panel, pd.DataFrame(index=asked.index)
        given = pd.DataFrame(columns=[SERIES, PERIOD, *known])
        if future is not None:
            given = self._arranged(future, "future", names)
        given = given.drop_duplicates([SERIES, PERIOD], keep="last")
        told = asked.merge(given[[SERIES, PERIOD, *known]], on=[SERIES, PERIOD], how="left")
        for column in self.known():
            absent = told[told[column.name].isna()] if column.required else told.iloc[:0]
            if len(absent):
                first = absent.iloc[0]
                (date,) = self._calendar.texts(np.array([first[PERIOD]]))
                raise WrongQuestionError(
                    "future",
                    f'"{column.name}" is known ahead of time and is missing for {date} of '
                    f'"{first[SERIES]}" and {len(absent) - 1:,} others; give it for each date',
                )
        rows = told.assign(**{decision["date"]: self._calendar.dates(told[PERIOD].to_numpy())})
        columns = decision["series"]
        if len(columns) == 1:
            rows[columns[0]] = rows[SERIES]
        elif columns:
            parts = rows[SERIES].str.split(SEPARATOR, n=len(columns) - 1, expand=True)
            rows[columns] = parts.to_numpy()
        inputs = rows[[column.name for column in self.schema.inputs]]
        features = check_finite(make_features(inputs, self._add_features))
        beside = rows[[SERIES, PERIOD]].assign(**{self.schema.target: np.nan})
        ahead = panel_of(pd.concat([features, beside], axis=1), self.schema, names)
        return overlay(panel, ahead), told[known]

    def _arranged(
        self, rows: pd.DataFrame, part: str, names: list[str] | None = None
    ) -> pd.DataFrame:
        """Return rows of a question as prepared rows are, one for each series and period."""
        decision, target = self.schema.decision, self.schema.target
        needed = [decision["date"]]
        needed += [target, *decision["series"]] if part == "rows" else []
        for name in needed:
            if name not in rows.columns:
                raise WrongQuestionError(part, f'column "{name}" is missing in {part}')
        optional = [c.model_copy(update={"required": False}) for c in self.schema.inputs]
        inputs = self.schema.model_copy(update={"inputs": optional}).conform(rows)
        arranged = check_finite(make_features(inputs, self._add_features))
        for column in self.known():  # as they came: the predictor gives them back
            arranged[column.name] = inputs[column.name]
        arranged[target] = convert(rows[target], "number") if target in rows else np.nan
        told = names is None or all(name in rows.columns for name in decision["series"])
        arranged[SERIES] = label_series(inputs, decision["series"]) if told else ONLY
        if inputs[decision["date"]].isna().any() or arranged[SERIES].isna().any():
            raise WrongQuestionError(part, f"{part} have to tell the date and the series in each")
        arranged[PERIOD] = self._calendar.ordinals(inputs[decision["date"]])
        if names is not None and not told:  # the same for every series
            each = [arranged.assign(**{SERIES: name}) for name in names]
            arranged = pd.concat(each, ignore_index=True)
        if part == "rows":
            try:
                return join_dates(arranged, target, decision["duplicates"], self._calendar)
            except UserError as error:
                raise WrongQuestionError(part, error.message) from None
        return arranged
