"""Forecast series, from the history that the model knows and what a file adds to it."""

from collections.abc import Iterator

import pandas as pd
import pyarrow as pa

from ..collection.file import Parts
from ..errors import UserError
from ..modeling.forecast_predictor import LOGGED, PREDICTION, ForecastPredictor
from ..problem.columns import ConversionError
from ..problem.series import label_series
from .score_rows import Found, ScoredPart

LOG_ONLY = [name for name in LOGGED if name not in PREDICTION]


class SeriesScorer:
    """Forecasts the series of a file, all in one part: each needs its whole history."""

    def __init__(self, predictor: ForecastPredictor, source: str, parts: Parts) -> None:
        self._predictor, self._source = predictor, source
        self._rows = pd.concat([frame for _, frame in parts.parts], ignore_index=True)
        target = self._rows.get(predictor.schema.target, pd.Series(None, self._rows.index))
        self._history = self._rows[target.notna()]
        self._made = 0

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
        self._made = len(keys)
        given = pa.Table.from_pandas(keys, preserve_index=False)
        yield ScoredPart(given, keys, keys.astype("str"), forecasts, LOG_ONLY)

    def shadow(self, challenger: ForecastPredictor, part: ScoredPart) -> pd.DataFrame:
        """Return what a challenger forecasts for those of the dates that it can."""
        return challenger.predict_paired(part.rows, part.predictions[LOGGED], self._history)

    def found(self) -> Found:
        """Return what there is to say."""
        labels = label_series(self._rows, self._predictor.schema.decision["series"])
        return Found(self._made, series=sorted(labels.dropna().unique()))

    def _forecast(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the date, the series and what is known ahead of each row, and its forecast."""
        schema, columns = self._predictor.schema, self._predictor.schema.decision["series"]
        absent = [name for name in columns if name not in self._rows]
        if absent:
            raise UserError(f'column "{absent[0]}" is missing; a forecast needs it')
        wanted = self._rows[self._predictor.ahead(self._rows)]
        if len(wanted):
            keys = wanted.filter([column.name for column in schema.inputs])
            forecasts = self._predictor.predict(self._rows)
            return keys.reset_index(drop=True), forecasts.reset_index(drop=True)
        labels = label_series(self._rows, columns).dropna().unique()
        found = self._predictor.forecast(history=self._history, series=labels)
        return self._predictor.inputs_of(found), found[LOGGED]
