"""The candidates for forecasting: forecasters, and the settings that a search may try.

One of your own is a BaseEstimator with ``fit(panel)`` and ``forecast(panel, horizon)``, as those
of ``mlsteps.modeling.forecasters`` are. Of the parameters ``season``, ``seasons``,
``horizon`` and ``frequency``, those that it has are set from the data. Name its class in TRUSTED of
modeling/__init__.py.
"""

from mlsteps.modeling import Candidate
from mlsteps.modeling.forecasters import (
    Arima,
    Autoregression,
    Decomposed,
    Drift,
    Exponential,
    Lags,
    SeasonalNaive,
)
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# A line more is a candidate more, once [models] candidates in project.toml names it.
CANDIDATES = {
    "ets": Candidate(Exponential()),
    "arima": Candidate(Arima(), {"exact": [True]}),
    # Seasons grow with the level (log) where that has the smaller errors in the backtest.
    "stl_ets": Candidate(Decomposed(Exponential()), {"log": [False]}),
    "stl_ar": Candidate(Decomposed(Autoregression()), {"log": [False]}),
    "ridge": Candidate(
        Lags(make_pipeline(StandardScaler(), Ridge(alpha=10))),
        {"regressor__ridge__alpha": [0.1, 1.0, 100.0]},
    ),
    "boosting": Candidate(
        Lags(HistGradientBoostingRegressor(early_stopping=False), each_step=False),
        {
            "regressor__learning_rate": [0.03, 0.1],
            "regressor__max_leaf_nodes": [7, 15, 31],
            "regressor__l2_regularization": [0.0, 10.0],
        },
    ),
    # The baselines: one is chosen where the backtest is sure that it beats the ensemble.
    "seasonal_naive": Candidate(SeasonalNaive()),
    "drift": Candidate(Drift()),
}
