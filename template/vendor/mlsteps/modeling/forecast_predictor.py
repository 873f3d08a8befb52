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
from ..preparation.series import known_columns, number_names, panel_of
from ..problem.calendar import Calendar
from ..problem.columns import Column, convert
from ..problem.series import (
    ONLY,
    PERIOD,
    SERIES,
    join_dates,
    label_series,
    least_periods,
    series_columns,
)
from . import store
from .forecast_model import ForecastModel, add_intervals, forecast_ahead
from .predictor import Adjust, check_adjusted

RECENT_PERIODS = 36  # of each series in `describe`
SHOWN_SERIES = 100  # in `describe`
PREDICTION = ["prediction", "low", "high"]
LOGGED = [*PREDICTION, "scale", "step"]  # a prediction as the prediction log has it


class ForecastRequestError(UserError):
    """A forecast that cannot be made of what was given.

    Attributes
    ----------
    field
        The part of the request that is at fault.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ForecastPredictor:
    """A fitted forecaster with its history and its schema.

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
        pipeline: ForecastModel,
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
        """Continue the series."""
        most = self.schema.decision["horizon"]
        horizon = most if horizon is None else horizon
        if not 1 <= horizon <= most:
            raise ForecastRequestError(
                "horizon",
                f"horizon is {horizon:,}, but the model was tested on 1 to {most:,} periods; set "
                "[problem] horizon and train again for more",
            )
        panel = self._panel
        if history is not None and len(history):
            panel = panel.updated(panel_of(self._prepare(history, "rows"), self.schema))
        names = self._known_series(panel, series)
        panel, known = self._with_future(panel, names, horizon, future)
        forecasts = self._forecast_from(panel, panel.periods, names, horizon)
        forecasts["date"] = self._calendar.texts(forecasts[PERIOD].to_numpy())
        columns = ["series", "date", *LOGGED]
        return pd.concat([forecasts.rename(columns={SERIES: "series"})[columns], known], axis=1)

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast the rows that have a date and a series, but no target; the others are history.

        Dates that the model knows already are forecast as if it did not: the history ends before
        the first of the dates to forecast.
        """
        target, panel = self.schema.target, self._panel
        ahead = rows[target].isna() if target in rows else pd.Series(True, index=rows.index)
        if not ahead.all():
            panel = panel.updated(panel_of(self._prepare(rows[~ahead], "rows"), self.schema))
        wanted = self._prepare(rows[ahead].drop(columns=target, errors="ignore"), "future")
        names = self._known_series(panel, wanted[SERIES].tolist())
        origin = min(int(wanted[PERIOD].min()), panel.end)
        horizon, most = int(wanted[PERIOD].max()) + 1 - origin, self.schema.decision["horizon"]
        if horizon > most:
            (last,) = self._calendar.texts(np.array([origin + horizon - 1]))
            raise ForecastRequestError(
                "future",
                f"{last} is {horizon:,} periods after what is known, but the model was tested on 1 "
                f"to {most:,}; send newer values, or train again",
            )
        panel = panel.updated(panel_of(wanted, self.schema, panel.names))
        forecasts = self._forecast_from(panel, origin - panel.start, names, horizon)
        keys = pd.MultiIndex.from_frame(wanted[[SERIES, PERIOD]])
        return forecasts.set_index([SERIES, PERIOD])[LOGGED].loc[keys].set_axis(wanted.index)

    def predict_paired(
        self, rows: pd.DataFrame, others: pd.DataFrame, history: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Forecast what another version has forecast, from where that began."""
        steps = others["step"]
        within = rows[steps <= self.schema.decision["horizon"]]
        forecasts = self.predict(within if history is None else pd.concat([history, within]))
        new = self.locate(within)[PERIOD] >= self._panel.end
        same = forecasts[new & (forecasts["step"] == steps[within.index])]
        return same.assign(scale=others["scale"])

    def locate(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return `SERIES` and `PERIOD` of each row, with the index of the rows."""
        rows = rows.drop(columns=self.schema.target, errors="ignore")
        return self._prepare(rows, "future")[[SERIES, PERIOD]]

    def features(self, inputs: pd.DataFrame) -> pd.DataFrame:
        """Return the features of inputs that `schema.conform` has brought to their kinds."""
        return make_features(inputs, self._add_features)

    def complete(self, forecasts: pd.DataFrame, panel: Panel | None = None) -> pd.DataFrame:
        """Add intervals to what a forecaster has forecast, and apply the project's own rules."""
        panel = panel or self._panel
        forecasts = add_intervals(forecasts, self.schema.decision)
        rows = series_columns(forecasts[SERIES], self.schema.decision["series"])
        dates = self._calendar.dates(forecasts[PERIOD].to_numpy())
        rows.insert(0, self.schema.decision["date"], dates)
        names = number_names(self.schema)
        if names:
            series = pd.Index(panel.names).get_indexer(forecasts[SERIES])
            rows[names] = panel.known[series, forecasts[PERIOD].to_numpy() - panel.start]
        return forecasts.assign(**check_adjusted(self._adjust(forecasts[PREDICTION], rows), rows))

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test, and what a request needs."""
        run = read_json(self.folder / store.RUN)
        metrics = self.folder / store.METRICS
        decision, panel = self.schema.decision, self._panel
        recent = np.arange(max(panel.start, panel.end - RECENT_PERIODS), panel.end)
        dates = self._calendar.texts(recent)
        values = panel.history[:SHOWN_SERIES, recent - panel.start]
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
            "known": [column.model_dump() for column in self.known_ahead()],
            "history": {"until": dates[-1], "dates": dates},
            "inputs": [column.model_dump() for column in self.schema.inputs],
            "example": self.example_request(),
            "recent": {
                name: [None if np.isnan(value) else float(value) for value in row]
                for name, row in zip(panel.names, values, strict=False)
            },
        }

    def example_request(self) -> dict[str, Any]:
        """Return an example of a request."""
        request: dict[str, Any] = {"horizon": self.schema.decision["horizon"]}
        future = self.typical_future()
        return request if future is None else {**request, "future": future.to_dict("records")}

    def known_ahead(self) -> list[Column]:
        """Return the inputs that have to be known ahead of time."""
        return known_columns(self.schema, self.schema.inputs)

    def typical_future(self) -> pd.DataFrame | None:
        """Return typical values of what is known ahead for the next dates, None if nothing is."""
        known = self.known_ahead()
        if not known:
            return None
        dates = self._calendar.texts(self._panel.end + np.arange(self.schema.decision["horizon"]))
        typical = {column.name: column.example for column in known}
        return pd.DataFrame({self.schema.decision["date"]: dates}).assign(**typical)

    def _forecast_from(
        self, panel: Panel, periods: int, names: list[str], horizon: int
    ) -> pd.DataFrame:
        """Forecast series after so many periods of their panel."""
        decision = self.schema.decision
        head = panel.head(periods, decision["gaps"])
        head = head.rows(pd.Index(head.names).get_indexer(names))
        forecasts = forecast_ahead(self.pipeline.forecaster, head, decision["season"], horizon)
        return self.complete(forecasts, panel)

    def _known_series(self, panel: Panel, series: list[str] | None) -> list[str]:
        """Return the series to forecast, once each was found to have enough of a history."""
        names = panel.names if series is None else list(dict.fromkeys(series))
        least = least_periods(self.schema.decision["season"])
        lengths = dict(zip(panel.names, panel.lengths(), strict=True))
        for name in names:
            if name not in lengths:
                close = difflib.get_close_matches(name, panel.names, n=1)
                hint = f'did you mean "{close[0]}"?' if close else "send its history in rows"
                raise ForecastRequestError("series", f'the model knows no series "{name}"; {hint}')
            if lengths[name] < least:
                raise ForecastRequestError(
                    "rows",
                    f'the series "{name}" has {lengths[name]:,} periods, but a forecast needs '
                    f"{least:,}; send more of its history",
                )
        return names

    def _with_future(
        self, panel: Panel, names: list[str], horizon: int, future: pd.DataFrame | None
    ) -> tuple[Panel, pd.DataFrame]:
        """Add what is known ahead of time, and return it for each series and date as well."""
        known, stored = self.known_ahead(), panel.known.shape[1] - panel.periods
        keys = pd.MultiIndex.from_product(
            [names, panel.end + np.arange(horizon)], names=[SERIES, PERIOD]
        )
        rows = keys.to_frame(index=False)
        if not known or (future is None and stored >= horizon):
            return panel, pd.DataFrame(index=rows.index)
        columns = [column.name for column in known]
        given = pd.DataFrame(columns=[SERIES, PERIOD, *columns])
        if future is not None:
            given = self._prepare(future, "future", names)[[SERIES, PERIOD, *columns]]
        given = given.drop_duplicates([SERIES, PERIOD], keep="last")
        rows = rows.merge(given, on=[SERIES, PERIOD], how="left")
        for column in known:
            absent = rows[rows[column.name].isna() & column.required]
            if len(absent):
                first = absent.iloc[0]
                (date,) = self._calendar.texts(np.array([first[PERIOD]]))
                raise ForecastRequestError(
                    "future",
                    f'"{column.name}" is known ahead of time and is missing for {date} of '
                    f'"{first[SERIES]}" and {len(absent) - 1:,} others; give it for each date',
                )
        rows[self.schema.decision["date"]] = self._calendar.dates(rows[PERIOD].to_numpy())
        inputs = rows.join(series_columns(rows[SERIES], self.schema.decision["series"]))
        inputs = inputs[[column.name for column in self.schema.inputs]]
        features = check_finite(self.features(inputs))
        features = features.assign(**rows[[SERIES, PERIOD]], **{self.schema.target: np.nan})
        return panel.updated(panel_of(features, self.schema, names)), rows[columns]

    def _prepare(
        self, rows: pd.DataFrame, part: str, names: list[str] | None = None
    ) -> pd.DataFrame:
        """Return rows of a request as prepared rows are, one for each series and period."""
        decision, target = self.schema.decision, self.schema.target
        needed = [target, *decision["series"]] if part == "rows" else []
        for name in [decision["date"], *needed]:
            if name not in rows.columns:
                raise ForecastRequestError(part, f'column "{name}" is missing in {part}')
        optional = [c.model_copy(update={"required": False}) for c in self.schema.inputs]
        inputs = self.schema.model_copy(update={"inputs": optional}).conform(rows)
        prepared = check_finite(self.features(inputs))
        for column in self.known_ahead():  # as they came: the predictor gives them back
            prepared[column.name] = inputs[column.name]
        prepared[target] = convert(rows[target], "number") if target in rows else np.nan
        for_all = names is not None and not set(decision["series"]) <= set(rows.columns)
        prepared[SERIES] = ONLY if for_all else label_series(inputs, decision["series"])
        if inputs[decision["date"]].isna().any() or prepared[SERIES].isna().any():
            raise ForecastRequestError(part, f"{part} have to tell the date and the series in each")
        prepared[PERIOD] = self._calendar.ordinals(inputs[decision["date"]])
        if for_all:
            each = [prepared.assign(**{SERIES: name}) for name in names or ()]
            prepared = pd.concat(each, ignore_index=True)
        if part == "rows":
            try:
                return join_dates(prepared, target, decision["duplicates"], self._calendar)
            except UserError as error:
                raise ForecastRequestError(part, error.message) from None
        return prepared
