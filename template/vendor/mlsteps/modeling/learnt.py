"""What a search and the fit after it leave behind."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ..preparation.schema import Schema
from .compare import SearchResult


@dataclass(frozen=True)
class Learnt:
    """A model that is ready to be stored.

    Attributes
    ----------
    pipeline
        The best candidate, fitted.
    schema
        With the decision that turns its numbers into answers.
    keys : ndarray of uint64, (rows,)
        Of the rows that it was fitted to.
    reference
        A sample of what it was fitted to, which drift is measured against.
    judged_by
        What the candidates were judged by, in a word or two.
    test_forecasts
        Of series: forecasts of the test by the best candidate, fitted to what came before it.
    """

    result: SearchResult
    pipeline: BaseEstimator
    schema: Schema
    keys: np.ndarray
    reference: pd.DataFrame
    search_seconds: float
    fit_seconds: float
    judged_by: str
    test_forecasts: pd.DataFrame | None = None
