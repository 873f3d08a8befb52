"""The forecasters: estimators of scikit-learn's kind, over several series at once.

``fit(panel)`` learns; ``forecast(panel, horizon)`` continues the series of a panel, which may be
longer than the one that was fitted to: the parameters stay, the history is new. They take
``season``, ``seasons``, ``horizon`` and ``frequency``, where they have such a parameter, from the
data. All that they learn is numbers in arrays, so that it can be stored and read without executing
anything.
"""

from .arima import Arima
from .autoregression import Autoregression
from .decomposed import Decomposed
from .lags import Lags
from .local import Exponential, LocalForecaster
from .naive import Drift, SeasonalNaive

__all__ = [
    "Arima",
    "Autoregression",
    "Decomposed",
    "Drift",
    "Exponential",
    "Lags",
    "LocalForecaster",
    "SeasonalNaive",
]
