"""Forecast series, from the history that the model knows and what a file adds to it."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from ..collection.file import Parts
from ..errors import UserError
from ..modeling.forecast_predictor import LOGGED, PREDICTION, ForecastPredictor
from ..problem.columns import ConversionError
from ..problem.series import label_series, series_columns
from .score_rows import ScoredPart

LOG_ONLY = [name for name in LOGGED if name not in PREDICTION]


class SeriesScorer:
    """Forecasts the series of a file, all in one part: each needs its whole history."""

    def __init__(self, predictor: ForecastPredictor, source: str, parts: Parts) -> None:
        self._predictor = predictor
        self._source = source
        rows = pd.concat([part.frame for part in parts.parts], ignore_index=True)
        target = predictor.schema.target
        known = rows[target].notna() if target in rows else pd.Series(data=False, index=rows.index)
        self._rows, self._history, self._wanted = rows, rows[known], rows[~known]
        self._made = ""

    def parts(self) -> Iterator[ScoredPart]:
        """Yield the forecasts."""
        try:
            keys, forecasts = self._forecast()
        except ConversionError as error:
            raise UserError(
                f"{self._source}: the {error}; correct it and forecast again."
            ) from None
        except UserError as error:
            raise UserError(f"{self._source}: {error.message.rstrip('.')}.") from None
        columns = self._predictor.schema.decision["series"]
        series = len(keys[columns].drop_duplicates()) if columns else 1
        self._made = f"{len(keys):,} forecasts of {series:,} series by {self._predictor.version}"
        given = pa.Table.from_pandas(keys, preserve_index=False)
        yield ScoredPart(given, keys, keys.astype("str"), forecasts, LOG_ONLY)

    def shadow(self, challenger: ForecastPredictor, part: ScoredPart) -> pd.DataFrame:
        """Return what a challenger forecasts for those of the dates that it can."""
        return challenger.predict_paired(part.rows, part.predictions[LOGGED], self._history)

    def summary(self, target: Path) -> str:
        """Say what was done."""
        return f"{self._made} into {target}"

    def _forecast(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the series, the date and what is known ahead of each row, and its forecast."""
        schema = self._predictor.schema
        date, columns = schema.decision["date"], schema.decision["series"]
        absent = [name for name in (date, *columns) if name not in self._rows]
        if absent:
            raise UserError(f'column "{absent[0]}" is missing; a forecast needs it')
        if len(self._wanted):
            keys = self._wanted.filter([column.name for column in schema.inputs])
            forecasts = self._predictor.predict(self._rows)
            return keys.reset_index(drop=True), forecasts.loc[keys.index].reset_index(drop=True)
        labels = label_series(self._rows, columns).dropna().unique().tolist()
        found = self._predictor.forecast(history=self._history, series=labels)
        keys = series_columns(found["series"], columns)
        keys.insert(0, date, found["date"])
        known_ahead = found.drop(columns=["series", "date", *LOGGED])
        return pd.concat([keys, known_ahead], axis=1), found[LOGGED]
