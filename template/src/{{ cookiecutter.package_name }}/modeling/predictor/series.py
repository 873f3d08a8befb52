"""The predictor of series: it continues them, from the end of what it or the caller knows."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...errors import UserError
from ...files import read_json
from ...preparation.derive import make_features
from ...preparation.panel import Panel
from ...preparation.schema import Schema, read_schema
from ...preparation.series import known_columns, panel_of
from ...problem.calendar import Calendar
from ...problem.columns import convert
from ...problem.series import PERIOD, SERIES, join_dates, label_series, least_periods
from .. import cover, store
from ..continued import Continued, overlay
from ..forecasters.naive import usual_change

RECENT = 36  # periods of each series that `describe` tells


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


class Predictor:
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

    def __init__(self, folder: Path, pipeline: Continued, schema: Schema) -> None:
        self.folder = folder
        self.version = folder.name
        self.pipeline = pipeline
        self.schema = schema
        self._history = pipeline.panel()
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
            ``series``, ``date``, ``prediction``, ``low`` and ``high``, and what is known ahead of
            each date, sorted by series and date.

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
        panel = self._history
        if history is not None and len(history):
            panel = overlay(panel, self._panel(history, "rows"))
        names = self._chosen(panel, series)
        asked = pd.MultiIndex.from_product([names, range(panel.end, panel.end + horizon)])
        rows = self._ahead(asked, future)
        if rows is not None:
            panel = overlay(panel, panel_of(rows, self.schema, names))
        self._check_known(panel, horizon)
        head = panel.head(panel.periods, decision["gaps"])
        head = head.rows(pd.Index(head.names).get_indexer(names))
        predicted = self.pipeline.forecaster.forecast(head, horizon)
        unit = usual_change(head.history, decision["season"])
        answers = pd.DataFrame(
            {
                "series": np.repeat(names, horizon),
                "date": np.tile(self._calendar.texts(panel.end + np.arange(horizon)), len(names)),
                "prediction": predicted.ravel(),
                "unit": np.repeat(unit, horizon),
                "step": np.tile(np.arange(1, horizon + 1), len(names)),
            }
        )
        return cover(answers, decision).drop(columns=["unit", "step"])
