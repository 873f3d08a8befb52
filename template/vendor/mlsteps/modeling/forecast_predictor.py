"""The predictor of series: it continues them, from the end of what it or the caller knows."""

import difflib
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..errors import UserError
from ..preparation.features import check_finite
from ..preparation.panel import Panel
from ..preparation.series import calendar_of, known_columns, number_names, panel_of
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
from ..report import counted
from .forecast_model import add_intervals, forecast_ahead
from .predictor import Predictor

# How far off a date may be, also in lengths of the history: one of the year 9999 fills the memory.
FARTHEST_PERIODS, FARTHEST_LENGTHS = 1000, 3
RECENT_PERIODS = 36  # of each series in `describe`
SHOWN_SERIES = 100  # in `describe`
PREDICTION = ["prediction", "low", "high"]
LOGGED = [*PREDICTION, "scale", "step"]  # a prediction as the prediction log has it


class ForecastRequestError(UserError):
    """A forecast that cannot be made; `field` is the part of the request that is at fault."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class ForecastPredictor(Predictor):
    """Continues series, each from its history; the decision holds calendar, season and horizon."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._numbers = number_names(self.schema)
        self._calendar = calendar_of(self.schema)
        decision = self.schema.decision
        self._date, self._horizon = decision["date"], decision["horizon"]

    def forecast(
        self,
        horizon: int | None = None,
        history: pd.DataFrame | None = None,
        future: pd.DataFrame | None = None,
        series: list[str] | None = None,
    ) -> pd.DataFrame:
        """Continue series.

        Parameters
        ----------
        horizon : int, optional
            Periods ahead; as many as the model was tested on if left out.
        history : DataFrame, optional
            Newer values: the date, the columns that tell the series apart, and the target.
        future : DataFrame, optional
            The date and what is known ahead of time, for each series or, without the columns that
            tell them apart, for all.
        series : list of str, optional
            Labels of the series; all if left out.

        Returns
        -------
        DataFrame
            A row for each series and date, with `LOGGED` and what was known ahead of time.

        Raises
        ------
        ForecastRequestError
            If something is missing, or the horizon is too long.
        """
        panel = self._with_history(history)
        names = panel.names if series is None else list(dict.fromkeys(series))
        self._check_series(panel, names)
        periods = np.arange(panel.end, panel.end + (horizon or self._horizon))
        keys = pd.MultiIndex.from_product([names, periods], names=[SERIES, PERIOD])
        rows, stored = keys.to_frame(index=False), panel.known.shape[1] - panel.periods
        if future is not None or (self._numbers and stored < len(periods)):
            rows = self._with_future(rows, future)
            panel = panel.updated(self._panel(rows)) if self._numbers else panel
        forecasts = self._forecast(panel, rows)
        forecasts["date"] = self._calendar.texts(forecasts[PERIOD])
        forecasts = forecasts.rename(columns={SERIES: "series"})[["series", "date", *LOGGED]]
        return forecasts.join(rows.filter([column.name for column in self.known_ahead()]))

    def predict(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast the rows that are `ahead`; those with a target are history.

        Dates that the model knows already are forecast as if it did not: the history ends before
        the first of the dates to forecast.
        """
        target = self.schema.target
        panel = self._with_history(rows.dropna(subset=[target]) if target in rows else None)
        wanted = rows[self.ahead(rows)].drop(columns=target, errors="ignore")
        wanted = self._read(wanted, "future")
        self._check_series(panel, wanted[SERIES])
        forecasts = self._forecast(panel.updated(self._panel(wanted)), wanted)
        keys = pd.MultiIndex.from_frame(wanted[[SERIES, PERIOD]])
        return forecasts.set_index([SERIES, PERIOD])[LOGGED].loc[keys].set_axis(wanted.index)

    def ahead(self, rows: pd.DataFrame) -> pd.Series:
        """Return which rows are to be forecast: those without a target.

        As in training, one before the last that has a target in its series is a gap.
        """
        target = self.schema.target
        known = rows[target].notna() if target in rows else pd.Series(False, index=rows.index)
        if known.all() or not known.any():
            return ~known
        places = self.locate(rows)
        last = places[PERIOD].where(known).groupby(places[SERIES]).transform("max")
        return ~known & ~(places[PERIOD] < last)

    def predict_paired(
        self, rows: pd.DataFrame, others: pd.DataFrame, history: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """Forecast what another version has forecast, from where that began."""
        within = rows[others["step"] <= self._horizon]
        forecasts = self.predict(within if history is None else pd.concat([history, within]))
        new = self.locate(within)[PERIOD] >= self.pipeline.panel.end
        same = forecasts[new & (forecasts["step"] == others["step"].loc[within.index])]
        return same.assign(scale=others["scale"])

    def locate(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return `SERIES` and `PERIOD` of each row, with the index of the rows."""
        rows = rows.drop(columns=self.schema.target, errors="ignore")
        return self._read(rows, "future")[[SERIES, PERIOD]]

    def inputs_of(self, forecasts: pd.DataFrame) -> pd.DataFrame:
        """Return the date, the series and what was known ahead, under their names in the data."""
        rows = series_columns(forecasts["series"], self.schema.decision["series"])
        rows.insert(0, self._date, forecasts["date"])
        return rows.join(forecasts.filter([column.name for column in self.known_ahead()]))

    def complete(self, forecasts: pd.DataFrame, panel: Panel | None = None) -> pd.DataFrame:
        """Add intervals to what a forecaster has forecast, and apply the project's own rules."""
        panel = panel or self.pipeline.panel
        if "low" not in forecasts:
            forecasts = add_intervals(forecasts, self.schema.decision)
        rows = series_columns(forecasts[SERIES], self.schema.decision["series"])
        rows.insert(0, self._date, self._calendar.dates(forecasts[PERIOD]))
        if self._numbers:
            rows[self._numbers] = panel.known[panel.at(forecasts[SERIES], forecasts[PERIOD])]
        return forecasts.assign(**self.adjust(forecasts[PREDICTION], rows))

    def describe(self) -> dict[str, Any]:
        """Return what the model is, how good it was on the test, and what a request needs."""
        panel = self.pipeline.panel
        recent = panel.history[:SHOWN_SERIES, -RECENT_PERIODS:]
        dates = self._calendar.texts(panel.end + np.arange(-recent.shape[1], 0))
        return super().describe() | {
            **{key: self.schema.decision[key] for key in ("horizon", "season", "date")},
            "frequency": self._calendar.words(),
            "series": {"columns": self.schema.decision["series"], "labels": panel.names},
            "known": [column.model_dump() for column in self.known_ahead()],
            "history": {"until": dates[-1], "dates": dates},
            "example": self.example_request(),
            "recent": {
                name: [None if np.isnan(value) else value for value in values]
                for name, values in zip(panel.names, recent.tolist(), strict=False)
            },
        }

    def example_request(self) -> dict[str, Any]:
        """Return an example of a request."""
        future = self.typical_future()
        known = {} if future is None else {"future": future.to_dict("records")}
        return {"horizon": self._horizon, **known}

    def known_ahead(self) -> list[Column]:
        """Return the inputs that have to be known ahead of time."""
        return known_columns(self.schema, self.schema.inputs)

    def typical_future(self) -> pd.DataFrame | None:
        """Return typical values of what is known ahead for the next dates, None if nothing is."""
        typical = {column.name: column.example for column in self.known_ahead()}
        dates = self._calendar.texts(self.pipeline.panel.end + np.arange(self._horizon))
        return pd.DataFrame({self._date: dates}).assign(**typical) if typical else None

    def _forecast(self, panel: Panel, rows: pd.DataFrame) -> pd.DataFrame:
        """Forecast the series of some rows, with all inputs, up to the last of their periods."""
        decision = self.schema.decision
        last, origin = int(rows[PERIOD].max()), min(int(rows[PERIOD].min()), panel.end)
        if last - origin >= self._horizon:
            raise ForecastRequestError(
                "future",
                f"{self._calendar.texts([last])[0]} is {last + 1 - origin:,} periods after what is "
                f"known, but the model was tested on 1 to {self._horizon:,}; send newer values, or "
                "train again with a longer [problem] horizon",
            )
        head = panel.head(origin - panel.start, decision["gaps"])
        head = head.rows(pd.Index(head.names).get_indexer(rows[SERIES].unique()))
        ahead = (decision["season"], last + 1 - origin)
        return self.complete(forecast_ahead(self.pipeline.forecaster, head, *ahead), panel)

    def _with_history(self, history: pd.DataFrame | None) -> Panel:
        """Return the history that the model knows, with newer values."""
        if history is None or history.empty:
            return self.pipeline.panel
        rows, duplicates = self._read(history, "rows"), self.schema.decision["duplicates"]
        try:
            rows = join_dates(rows, self.schema.target, duplicates, self._calendar)
        except UserError as error:
            raise ForecastRequestError("rows", error.message) from None
        return self.pipeline.panel.updated(self._panel(rows))

    def _check_series(self, panel: Panel, names: Iterable[str]) -> None:
        """Check that each series is known, and has enough of a history."""
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
                    f'the series "{name}" has {counted(lengths[name], "period")}, but a forecast '
                    f"needs {least:,}; send more of its history",
                )

    def _with_future(self, rows: pd.DataFrame, future: pd.DataFrame | None) -> pd.DataFrame:
        """Add to series and periods their columns, and what is known of them ahead of time."""
        names, known = self.schema.decision["series"], self.known_ahead()
        dates = {self._date: self._calendar.dates(rows[PERIOD]), self.schema.target: np.nan}
        rows = rows.assign(**dates).join(series_columns(rows[SERIES], names))
        if future is None:
            future = pd.DataFrame(columns=[self._date, *names])
        named = set(names) <= set(future.columns) and future[names].notna().any(axis=None)
        keys = [SERIES, PERIOD] if named else [PERIOD]
        given = self._read(future, "future", for_all=keys == [PERIOD])
        given = given[[*keys, *(column.name for column in known)]].drop_duplicates(
            keys, keep="last"
        )
        rows = rows.merge(given, on=keys, how="left")
        for column in known:
            absent = rows[rows[column.name].isna() & column.required]
            if len(absent):
                (date,) = self._calendar.texts(absent[PERIOD].head(1))
                raise ForecastRequestError(
                    "future",
                    f'"{column.name}" is known ahead of time and is missing for {date} of '
                    f'"{absent[SERIES].iloc[0]}" and {len(absent) - 1:,} others; give it for each '
                    "date",
                )
        return rows

    def _read(self, rows: pd.DataFrame, part: str, *, for_all: bool = False) -> pd.DataFrame:
        """Return the inputs and the target of rows of a request, with their series and period."""
        target, names = self.schema.target, self.schema.decision["series"]
        for name in [self._date, *([target, *names] if part == "rows" else [])]:
            if name not in rows.columns:
                raise ForecastRequestError(part, f'column "{name}" is missing in {part}')
        optional = [c.model_copy(update={"required": False}) for c in self.schema.inputs]
        inputs = self.schema.model_copy(update={"inputs": optional}).conform(rows)
        inputs[SERIES] = ONLY if for_all else label_series(inputs, names)
        if inputs[[self._date, SERIES]].isna().any(axis=None):
            raise ForecastRequestError(part, f"{part} have to tell the date and the series in each")
        inputs[PERIOD] = self._calendar.ordinals(inputs[self._date])
        self._check_distance(inputs[PERIOD], part)
        written = self.schema.target_written
        inputs[target] = convert(rows[target], "number", written) if target in rows else np.nan
        return inputs

    def _check_distance(self, periods: pd.Series, part: str) -> None:
        panel = self.pipeline.panel
        farthest = max(FARTHEST_PERIODS, FARTHEST_LENGTHS * panel.periods)
        far = periods[(periods < panel.start - farthest) | (periods >= panel.end + farthest)]
        if len(far):
            side = "after" if far.iloc[0] >= panel.end else "before"
            raise ForecastRequestError(
                part,
                f"{self._calendar.texts(far.head(1))[0]} is more than {farthest:,} periods {side} "
                "what is known; correct the date",
            )

    def _panel(self, rows: pd.DataFrame) -> Panel:
        """Return rows with all inputs, their series and period as a panel."""
        inputs = rows[[column.name for column in self.schema.inputs]]
        features = check_finite(self.features(inputs))
        others = rows[[SERIES, PERIOD, self.schema.target]]
        return panel_of(pd.concat([features, others], axis=1), self.schema)
