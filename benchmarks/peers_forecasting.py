"""The other side of forecasting.py: `peers_forecasting.py IN OUT START HORIZON TESTS SEASON…`.

Runs in an environment of its own, with statsforecast.
"""

import sys
import warnings
from importlib import import_module

import pandas as pd

CORES = 2
LONGEST = 24  # season of AutoARIMA: with 48 half-hours it does not end in eight minutes


def main() -> None:
    """Write what AutoETS, AutoARIMA, AutoTheta and MSTL forecast of the last horizons."""
    warnings.filterwarnings("ignore")
    source, out, start, *numbers = sys.argv[1:]
    horizon, tests, *seasons = map(int, numbers)
    models = import_module("statsforecast.models")
    rows = pd.read_csv(source, parse_dates=["date"])[["series", "date", "y"]]
    season = seasons[0]
    fitted = [
        models.AutoETS(season_length=season),
        models.AutoARIMA(season_length=season if season <= LONGEST else 1),
        models.AutoTheta(season_length=season),
        *([models.MSTL(season_length=seasons)] if season > 1 else []),  # it decomposes by a season
    ]
    names = {"id_col": "series", "time_col": "date", "target_col": "y"}
    side = import_module("statsforecast").StatsForecast(models=fitted, freq=start, n_jobs=CORES)
    found = side.cross_validation(
        df=rows, h=horizon, step_size=horizon, n_windows=tests, refit=True, **names
    )
    found.to_csv(out, index=False)


if __name__ == "__main__":
    main()
