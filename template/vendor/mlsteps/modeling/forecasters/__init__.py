"""The forecasters: estimators of scikit-learn's kind, over several series at once.

``fit(panel)`` learns, ``forecast(panel, horizon)`` continues the series of a panel, which may be
longer than the one that was fitted to: the parameters stay, the history is new. All that they
learn is numbers in arrays, so that it can be stored and read without executing anything.
"""

from .arima import Arima
from .exponential import Exponential
from .lags import Lags
from .naive import Drift, SeasonalNaive
from .theta import Theta

__all__ = ["Arima", "Drift", "Exponential", "Lags", "SeasonalNaive", "Theta"]
