"""Forecasting: calendars, forecasters, backtests, intervals, and forecasts into a file."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from mlsteps.deployment.prediction_log import open_log, read_predictions
from mlsteps.errors import UserError
from mlsteps.evaluation.bootstrap import measure
from mlsteps.evaluation.forecasting import bootstrap_groups
from mlsteps.modeling import Candidate, Trial, load_predictor, store, train
from mlsteps.modeling.backtest import backtest, learn_intervals
from mlsteps.modeling.forecast_choice import choose
from mlsteps.modeling.forecast_model import ForecastModel, add_intervals
from mlsteps.modeling.forecasters import Drift, Lags, LocalForecaster, SeasonalNaive
from mlsteps.modeling.forecasters.naive import baselines
from mlsteps.modeling.search import SearchResult
from mlsteps.preparation import prepare
from mlsteps.preparation.panel import Panel, fill
from mlsteps.preparation.schema import read_schema
from mlsteps.preparation.series import panel_of
from mlsteps.preparation.split import cut_folds
from mlsteps.problem.check import check
from mlsteps.problem.fitting import SeriesColumns, find_series
from mlsteps.problem.metric import all_metrics
from mlsteps.problem.periods import infer_calendar
from mlsteps.problem.seasons import try_seasons
from mlsteps.problem.series import PERIOD, SERIES, align
from project import edit, load, log, part, run_in, shadowed
from sklearn.base import BaseEstimator, clone

PROBLEM_TYPES = ["forecasting"]
CANDIDATES = part("forecasting", "modeling.candidates").CANDIDATES
MODELS = [name for name in CANDIDATES if name not in baselines(season=1)]
METRICS = all_metrics("forecasting", {})
SEASON, PERIODS = 12, 72
FREQUENCIES = ["YS", "YE-JUN", "QS", "QE", "QS-FEB", "MS", "ME", "W-MON", "W-SUN", "D", "B"]
FREQUENCIES += ["h", "2h", "15min", "30s", "28D", pd.DateOffset(months=1)]


@pytest.fixture
def frame():
    """Two monthly series with a trend, a season and a little noise."""
    generator = np.random.default_rng(0)
    months = pd.date_range("2015-01-01", periods=PERIODS, freq="MS")
    parts = []
    for place, name in enumerate(["a", "b"]):
        wave = 20 * np.sin(2 * np.pi * np.arange(PERIODS) / SEASON)
        y = 100 * (place + 1) + np.arange(PERIODS) + wave + generator.normal(size=PERIODS)
        parts.append(pd.DataFrame({"date": months.strftime("%Y-%m-%d"), "name": name, "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture
def panel():
    """Three series without noise: a trend and a season of 12."""
    time = np.arange(PERIODS)
    wave = 10 * np.sin(2 * np.pi * time / SEASON)
    history = np.array([100 + time + wave, 50 + 0.5 * time + wave, 200 - time + 2 * wave])
    return Panel(["a", "b", "c"], 0, history, np.zeros((3, PERIODS + SEASON, 0)))


def logged(project, **settings):
    with open_log(project) as engine:
        return read_predictions(engine, **settings)


@pytest.fixture
def by_name(define):
    """Make a definition with two series."""

    def make(**changes):
        columns = {"date": "date", "series": "name"} | changes.pop("columns", {})
        return define(columns=columns, **changes)

    return make


@pytest.mark.parametrize("frequency", FREQUENCIES, ids=str)
def test_a_calendar_is_inferred_from_dates_with_gaps_and_gives_them_back(frequency):
    start = "2020-01-15" if isinstance(frequency, pd.DateOffset) else "2020-01-01"
    dates = pd.Series(pd.date_range(start, periods=60, freq=frequency), name="date")
    seen = dates[np.random.default_rng(0).random(60) > 0.15]
    calendar = infer_calendar(seen, pd.Series("a", index=seen.index))
    ordinals = calendar.ordinals(dates)
    assert (np.diff(ordinals) == 1).all()
    assert (calendar.dates(ordinals) == dates.to_numpy()).all()


def test_the_problem_is_said_in_plain_words(frame, by_name):
    first, second, *_ = check(by_name(), frame, METRICS).sentences
    assert 'Forecast "y" of 2 series by "name"' in first
    assert "4 periods ahead from 72 monthly values" in first
    assert "A season has 12 periods" in second


def test_without_a_season_none_is_found(frame, by_name):
    noise = np.random.default_rng(1).normal(size=len(frame))
    assert align(frame.assign(y=noise), by_name()).season == 1
    given = by_name(problem={"season": 7})
    assert align(frame.assign(y=noise), given).season == 7


def waves(periods, **sizes):
    """Return noise with a memory, a trend, and a wave for each length of season."""
    time, noise = np.arange(periods), np.random.default_rng(3).normal(size=periods)
    y = 100 + 0.01 * time + pd.Series(noise).ewm(alpha=0.5).mean().to_numpy()
    return y + sum(size * np.sin(2 * np.pi * time / float(n[1:])) for n, size in sizes.items())


SEASONAL = {
    "forty years of weeks": ("W-MON", waves(2080, **{"_52.18": 3}), [52.179], 52),
    "half-hours of weeks": ("30min", waves(2400, _48=9, _336=9), [48, 336], 336),
    "days of years": ("D", waves(1500, _7=1, **{"_365.25": 3}), [7, 365.25], 7),
    "business days": ("B", waves(800, _5=2), [5], 5),
    "months of a cycle that is no season": ("MS", waves(480, _131=9), [], 1),
}


@pytest.mark.parametrize("kind", SEASONAL)
def test_seasons_of_any_length_are_found_beside_a_trend_and_told(define, kind):
    frequency, y, seasons, season = SEASONAL[kind]
    dates = pd.date_range("1980-01-01", periods=len(y), freq=frequency).astype("str")
    frame = pd.DataFrame({"date": dates, "y": y})
    found = align(frame, define())
    assert (found.seasons, found.season) == (seasons, season)
    told = check(define(), frame, METRICS).sentences[1]
    several = f"Seasons have {' and '.join(f'{s:.6g}' for s in seasons)} periods, and MASE and the"
    one = f"A season has {seasons[0]:.6g} periods" if seasons else "There is no season"
    assert (several if len(seasons) > 1 else one) in told
    named = align(frame, define(problem={"season": [24, 9.5]}))
    assert named.seasons == [9.5, 24]


def test_noise_with_a_memory_has_no_season():
    """The level holds: one in ten thousand is promised, and few of a hundred are allowed."""
    noise = np.random.default_rng(4).normal(size=(240, 100))
    for memory in (noise, noise.cumsum(axis=0), pd.DataFrame(noise).ewm(alpha=0.1).mean()):
        series = pd.DataFrame(memory)
        assert sum(try_seasons(series[[k]], [12.0])["p-value"][0] < 1e-3 for k in series) <= 3


def mistakes(frame):
    """Yield what is wrong with some data, and what is said about it."""
    yield frame.drop(columns="date"), 'names "date", a column that the data does not have'
    yield frame.assign(date="2020-01-01"), "has one date for each series"
    yield frame.groupby("name").head(1), "has one date for each series"
    yield frame.groupby("name").head(9), "has 9 periods"
    yield pd.concat([frame, frame.iloc[:1].assign(y=1.0)]), "rows share their series and their date"
    yield frame.assign(date=frame["date"].where(frame.index > 0)), "date is missing in 1 row"
    yield frame.assign(name=frame["name"].where(frame.index > 0)), "series is missing in 1 row"
    yield frame.assign(date="soon"), "must be a date"
    yield frame.assign(y="much"), "must be a number"
    yield frame.assign(y=1.0), "is 1 in every row"
    yield frame.assign(note=[f"words that say {k}" for k in range(len(frame))]), "known ahead"
    days = pd.to_datetime("2020-01-01") + pd.to_timedelta(np.arange(len(frame)) ** 2, unit="D")
    yield frame.assign(date=days, name="a"), "are irregular"


@pytest.mark.parametrize("number", range(12))
def test_bad_data_is_one_sentence_that_names_it(frame, by_name, number):
    wrong, message = list(mistakes(frame))[number]
    with pytest.raises(UserError, match=message):
        check(by_name(), wrong, METRICS)


def berlin(*span, **options):
    """Return the midnights or hours of a place whose clocks are put forward in summer."""
    return [date.isoformat() for date in pd.date_range(*span, **options, tz="Europe/Berlin")]


def texts(form="%Y-%m-%d", **options):
    return pd.date_range("2014-01-01", periods=96, **options).strftime(form).tolist()


HOLIDAYS = {"2015-05-29": "2015-05-28", "2018-03-30": "2018-03-29"}
DATED = {
    "local midnights": (berlin("2014-01-01", "2021-12-01", freq="MS"), "2022-01-01"),
    "local month ends": (berlin("2014-01-01", "2021-11-30", freq="ME"), "2021-12-31"),
    "local business days": (berlin("2014-01-01", "2014-12-26", freq="B"), "2014-12-29"),
    "last business days": (texts(freq="BME"), "2022-01-31"),
    "last days of trade": (pd.Series(texts(freq="BME")).replace(HOLIDAYS), "2022-01-31"),
    "first business days": (texts(freq="BMS"), "2022-01-03"),
    "second Tuesdays": (texts(freq="WOM-2TUE"), "2022-01-11"),
    "last Fridays": (texts("%d.%m.%Y", freq="LWOM-FRI"), "2022-01-28"),
    "month first": (texts("%m/%d/%Y", freq="MS"), "2022-01-01"),
    "day first": (texts("%d/%m/%Y", freq="MS"), "2022-01-01"),
    "names of months": (texts("%b-%y", freq="MS"), "2022-01-01"),
    "numbers of months": (pd.Series(texts("%Y%m", freq="MS")).astype(int), "2022-01-01"),
    "numbers of days": (pd.Series(texts("%Y%m%d", freq="D")).astype(int), "2014-04-07"),
    "years": (range(1980, 2020), "2020-01-01"),
    "weeks": (texts("%G-W%V", freq="W-MON"), "2015-11-09"),
    "quarters": ([f"{1998 + k // 4}-Q{k % 4 + 1}" for k in range(96)], "2022-01-01"),
}


@pytest.mark.parametrize("written", DATED)
def test_forecasts_are_dated_as_the_data_is(define, written):
    dates, expected = DATED[written]
    y = np.random.default_rng(0).normal(size=len(dates))
    frame = pd.DataFrame({"date": dates, "y": y})
    aligned = align(frame, define())
    assert aligned.calendar.texts([aligned.rows[PERIOD].max() + 1]) == [expected]
    assert aligned.gaps == 0
    assert find_series(frame[["date"]]) == SeriesColumns("date", [], len(dates))
    said = " ".join(check(define(), frame, METRICS).sentences)
    assert ("fits as well" in said) == (written in ("month first", "day first"))


def test_dates_without_a_rule_in_their_months_are_said_to_be_forecast_by_their_start(define):
    draw = np.random.default_rng(0)
    days = pd.to_timedelta(draw.integers(0, 26, 96), unit="D")
    dates = pd.date_range("2014-01-01", periods=96, freq="MS") + days
    frame = pd.DataFrame({"date": dates, "y": draw.normal(size=96)})
    said = " ".join(check(define(), frame, METRICS).sentences)
    assert "follow no rule within their periods; forecasts are dated 2022-01-01 and so on" in said


def test_numbers_of_months_have_series_but_months_are_none_of_a_year(define):
    months = pd.date_range("2014-01-01", periods=96, freq="MS")
    years = pd.DataFrame({"year": months.year, "month": months.month})
    assert find_series(years).doubt
    months = months.strftime("%Y%m").astype(int)
    shops = pd.DataFrame({"when": np.tile(months, 2), "shop": np.repeat([7, 8], 96)})
    assert find_series(shops) == SeriesColumns("when", ["shop"], 96)
    assert find_series(shops.assign(day="2014-01-01")).date == "day"


def test_the_hour_that_comes_twice_is_named_and_the_one_that_lacks_is_a_gap(define):
    hours = berlin("2021-03-01", "2021-11-30", freq="h")
    y = np.random.default_rng(0).normal(size=len(hours))
    for dates in (hours, [hour[:19] for hour in hours]):
        frame = pd.DataFrame({"date": dates, "y": y})
        with pytest.raises(UserError, match=r"hour that comes twice .*: 2021-10-31T02:00:00 is"):
            align(frame, define())
        aligned = align(frame, define(preparation={"duplicates": "mean"}))
        assert (aligned.joined, aligned.gaps) == (1, 1)


def test_clocks_may_be_set_back_in_any_night(define):
    hours = pd.date_range("2023-09-01", "2024-01-15", freq="h", tz="Africa/Cairo")
    frame = pd.DataFrame({"date": hours.map(str), "y": np.arange(len(hours)) % 24.0})
    with pytest.raises(UserError, match=r"hour that comes twice .*: 2023-10-26T23:00:00 is"):
        align(frame, define())


@pytest.mark.parametrize("frequency", ["SMS", "SME"])
def test_halves_of_months_are_no_weeks(define, frequency):
    frame = pd.DataFrame({"date": texts(freq=frequency), "y": np.arange(96.0)})
    with pytest.raises(UserError, match="fall between such steps, as the 1st and 15th"):
        align(frame, define())


def test_a_stray_date_that_does_not_exist_is_named_with_its_row(define):
    days = texts(freq="D")
    days[16] = "2014-02-30"
    with pytest.raises(UserError, match=r"date: .* has '2014-02-30' in row 17, but must be a date"):
        align(pd.DataFrame({"date": days, "y": np.arange(96.0)}), define())


@pytest.mark.parametrize(("how", "value"), [("sum", 30.0), ("mean", 15.0), ("last", 20.0)])
def test_repeated_dates_become_what_the_definition_says(frame, by_name, how, value):
    frame.loc[0, "y"] = 10.0
    twice = pd.concat([frame, frame.iloc[:1].assign(y=20.0)], ignore_index=True)
    aligned = align(twice, by_name(preparation={"duplicates": how}))
    assert aligned.joined == 1
    assert aligned.rows["y"].iloc[0] == value


def test_gaps_are_counted_and_may_be_refused(frame, by_name):
    gappy = frame.drop(index=[5, 6])
    assert align(gappy, by_name()).gaps == 2
    with pytest.raises(UserError, match="Missing: 2 dates, the first before 2015-07-01"):
        align(gappy, by_name(preparation={"gaps": "refuse"}))


def test_short_series_may_be_dropped(frame, by_name):
    short = pd.concat([frame, frame.head(5).assign(name="c")], ignore_index=True)
    with pytest.raises(UserError, match='"c" has 5 periods'):
        align(short, by_name())
    assert align(short, by_name(preparation={"short": "drop"})).dropped == ["c"]


def test_older_periods_can_be_left_out(frame, by_name):
    ended = pd.concat([frame, frame.head(40).assign(name="c")], ignore_index=True)
    window = {"newest_periods": 36}
    aligned = align(frame, by_name(split=window))
    assert set(aligned.lengths()) == {36}
    assert aligned.rows["date"].min() == pd.Timestamp("2018-01-01")
    with pytest.raises(UserError, match=r'"c" has 4 periods.*add history'):
        align(ended, by_name(split=window))
    assert align(ended, by_name(split=window, preparation={"short": "drop"})).dropped == ["c"]
    with pytest.raises(UserError, match=r"raise \[split\] newest_periods"):
        align(frame, by_name(split={"newest_periods": 10}))


@pytest.mark.parametrize(
    ("gaps", "filled"), [("interpolate", 2.0), ("previous", 1.0), ("zero", 0.0)]
)
def test_gaps_are_filled_as_the_definition_says_but_not_before_a_series_begins(gaps, filled):
    values = fill(np.array([[np.nan, 1.0, np.nan, 3.0]]), gaps)
    np.testing.assert_array_equal(values, [[np.nan, 1.0, filled, 3.0]])


def test_a_gap_at_an_origin_is_not_filled_by_what_comes_after_it(panel):
    panel.history[0, 50] = np.nan
    head = panel.head(51, "interpolate")
    assert head.history[0, 50] == panel.history[0, 49]


def test_the_baselines_repeat_the_season_and_continue_the_line():
    panel = Panel(["a"], 0, np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]]), np.zeros((1, 9, 0)))
    np.testing.assert_allclose(SeasonalNaive(2).forecast(panel, 3), [[5.0, 6.0, 5.0]])
    np.testing.assert_allclose(Drift().forecast(panel, 3), [[7.0, 8.0, 9.0]])


@pytest.mark.parametrize("name", ["ridge", "boosting"])
def test_a_short_forecast_needs_no_more_of_what_is_known_ahead(panel, name):
    known = np.random.default_rng(0).random((3, PERIODS + SEASON, 1))
    whole, short = (replace(panel, known=known[:, : PERIODS + k]) for k in (SEASON, 2))
    forecaster = clone(CANDIDATES[name].estimator)
    forecaster.set_params(season=SEASON, horizon=SEASON, frequency="M").fit(whole)
    longer = forecaster.forecast(whole, SEASON)
    np.testing.assert_allclose(forecaster.forecast(short, 2), longer[:, :2])


@pytest.mark.parametrize("name", MODELS)
def test_every_candidate_continues_a_trend_and_a_season_and_can_be_stored(panel, name, tmp_path):
    forecaster = clone(CANDIDATES[name].estimator)
    calendar = {"season": SEASON, "seasons": [SEASON], "horizon": SEASON, "frequency": "M"}
    taken = forecaster.get_params(deep=False)
    forecaster.set_params(**{key: value for key, value in calendar.items() if key in taken})
    head = panel.head(PERIODS - SEASON, "interpolate")
    forecast = forecaster.fit(head).forecast(head, SEASON)
    naive = SeasonalNaive(SEASON).forecast(head, SEASON)
    truth = panel.history[:, -SEASON:]
    assert np.abs(forecast - truth).mean() < 0.7 * np.abs(naive - truth).mean()
    store.save_pipeline(ForecastModel(forecaster, head), tmp_path / "model.skops")
    again = store.load_pipeline(tmp_path / "model.skops")
    np.testing.assert_allclose(again.forecaster.forecast(again.panel, SEASON), forecast)


def ahead_of(forecaster, y, season, seasons, horizon):
    """Return the error of a forecast of the end of a series, in that of the seasonal naive."""
    head = Panel(["a"], 0, y[None, :-horizon], np.zeros((1, len(y), 0)))
    taken = {"season": season, "seasons": seasons}
    names = taken.keys() & forecaster.get_params(deep=False).keys()
    forecaster = clone(forecaster).set_params(**{name: taken[name] for name in names})
    rivals = (forecaster.fit(head), SeasonalNaive(season))
    own, naive = (np.abs(each.forecast(head, horizon)[0] - y[-horizon:]).mean() for each in rivals)
    return own / naive


@pytest.mark.parametrize("seasons", [[48, 336], [52.179], [7, 365.25]])
@pytest.mark.parametrize("name", ["stl_ets", "stl_ar"])
def test_seasons_of_any_length_and_several_go_on(name, seasons):
    y = waves(1400, **{f"_{season}": 9 for season in seasons})
    season = round(seasons[-1])
    assert ahead_of(CANDIDATES[name].estimator, y, season, seasons, 48) < 1.05


def test_an_autoregression_of_long_order_continues_a_cycle_that_is_no_season():
    assert ahead_of(CANDIDATES["stl_ar"].estimator, waves(300, _11=9), 1, [], 11) < 0.3


def test_seasons_may_grow_with_the_level_but_not_the_trend():
    months = np.arange(120)
    line = 100 + 5 * months
    y = line * np.exp(0.3 * np.sin(2 * np.pi * months / 12))
    stl = CANDIDATES["stl_ets"].estimator
    growing, fixed = (
        ahead_of(clone(stl).set_params(log=k), y, 12, [12], 24) for k in (True, False)
    )
    assert growing < fixed / 2


@pytest.mark.parametrize("periods", [40, 60, 500])
def test_origins_leave_a_whole_horizon_and_a_history(define, periods):
    definition = define(problem={"horizon": 8, "season": SEASON})
    rows = pd.DataFrame({SERIES: "a", PERIOD: 100 + np.arange(periods), "y": 1.0})
    folds = cut_folds(rows, definition)
    origins = [len(fit) for fit, _ in folds]
    assert origins[-1] == periods - 8
    assert origins[0] >= 2 * SEASON
    assert origins == sorted(set(origins))
    assert all(list(score) == list(range(len(fit), len(fit) + 8)) for fit, score in folds)


def prepared(project):
    """Return the training rows of a project, as a panel too, and their schema."""
    schema = read_schema(project.prepared / "schema.json")
    train = pd.read_parquet(project.prepared / "train.parquet")
    return panel_of(train, schema), train, schema


def try_folds(project, folds):
    panel, train, schema = prepared(project)
    metric = METRICS[project.definition.problem.metric]
    return backtest(panel, train, folds, schema, CANDIDATES, metric, project.definition)


def test_a_split_rule_of_ones_own_decides_the_origins_of_the_backtest(own):
    quick = edit(own, models={"candidates": ["stl_ar"]})
    panel, train, _ = prepared(quick)
    periods, first = train[PERIOD].to_numpy(), (train[SERIES] == panel.names[0]).to_numpy()
    origins = [panel.end - 9, panel.end - 6]
    folds = [
        (np.flatnonzero(periods < origin), np.flatnonzero(first & (periods >= origin)))
        for origin in origins
    ]
    found = try_folds(quick, folds).predictions
    assert found["origin"].unique().tolist() == origins
    assert found[SERIES].unique().tolist() == panel.names[:1]
    assert found["step"].max() == quick.definition.problem.horizon
    early = np.flatnonzero(periods < panel.start + 3), np.flatnonzero(periods == panel.start + 3)
    with pytest.raises(UserError, match="has a fold that begins with"):
        try_folds(quick, [early])


def test_a_test_that_is_not_the_end_is_refused(own, rows):
    def take_one_series(rows, *_):
        return (rows[SERIES] == rows[SERIES].iloc[0]).to_numpy()

    with pytest.raises(UserError, match="has to take all rows from one date on"):
        prepare(own, rows, take_one_series, lambda rows: rows)


class LastValue(BaseEstimator):
    """A forecaster of a user's own."""

    def fit(self, panel):
        self.fitted_to_ = panel.periods
        return self

    def forecast(self, panel, horizon):
        return np.repeat(panel.history[:, -1:], horizon, axis=1)


def test_a_forecaster_of_ones_own_is_a_candidate_and_is_loaded_if_it_is_trusted(own):
    mine = edit(own, models={"candidates": ["last"]})
    said = train(mine, {"last": Candidate(LastValue())}, cut_folds, {})
    assert said.startswith("last is best")
    folder = mine.models / store.newest_version(mine.models)
    with pytest.raises(UserError, match="LastValue, which are not trusted"):
        load_predictor(folder, lambda rows: rows, lambda predictions, _: predictions)
    trusted = [f"{__name__}.LastValue"]
    predictor = load_predictor(
        folder, lambda rows: rows, lambda predictions, _: predictions, trusted
    )
    forecasts = predictor.forecast().groupby("series")["prediction"]
    assert forecasts.min().equals(forecasts.max())


def errors(size, seed):
    """Forecasts of a backtest whose errors grow with the distance."""
    generator = np.random.default_rng(seed)
    step = np.tile(np.arange(1, 5), size)
    return pd.DataFrame(
        {
            "true": generator.normal(size=4 * size) * step,
            "prediction": 0.0,
            "scale": 1.0,
            "step": step,
            "origin": np.repeat(np.arange(size) % 5, 4),
            SERIES: np.repeat(np.arange(size) // 5, 4).astype(str),
        }
    )


def test_intervals_cover_what_they_promise_and_never_narrow(define):
    decision = learn_intervals(errors(400, seed=0), define())
    new = add_intervals(errors(2000, seed=1), decision)
    inside = new["true"].between(new["low"], new["high"]).groupby(new["step"]).mean()
    assert inside.to_numpy() == pytest.approx(0.9, abs=0.04)
    assert decision["covered"] == pytest.approx(0.9, abs=0.04)
    assert decision["high"] == sorted(decision["high"])
    assert decision["low"] == sorted(decision["low"], reverse=True)


def test_intervals_of_few_origins_are_wider_so_that_they_cover(define):
    """The errors of a path go together: five of them are no twenty."""
    generator, inside = np.random.default_rng(2), []
    for seed in range(60):
        known, new = errors(5, seed), errors(5, seed + 100)
        for each in (known, new):
            each["true"] += np.repeat(generator.normal(size=5), 4) * 2 * each["step"]
        found = add_intervals(new, learn_intervals(known, define()))
        inside.append(found["true"].between(found["low"], found["high"]).mean())
    assert np.mean(inside) == pytest.approx(0.9, abs=0.05)


def test_mase_is_scaled_by_the_usual_change():
    forecasts = pd.DataFrame(
        {"prediction": [1.0, 2.0], "low": 0.0, "high": 3.0, "scale": [2.0, 4.0]}
    )
    found = measure(pd.Series([3.0, 6.0]), forecasts, METRICS, seed=0)
    assert found["mase"]["value"] == 1.0
    assert found["coverage"]["value"] == 0.5


def test_every_candidate_stands_beside_the_seasonal_naive(project):
    run = json.loads(next(project.models.glob("*/run.json")).read_text(encoding="utf-8"))
    results = json.loads((project.reports / "metrics.json").read_text(encoding="utf-8"))
    assert {line["model"] for line in run["leaderboard"]} == set(
        project.definition.models.candidates
    )
    assert all("seasonal naive" in line for line in run["leaderboard"])
    assert set(results["baselines"]) == {"seasonal_naive", "drift"}


def test_the_test_holds_as_many_horizons_as_a_fifth_of_the_history_has(own, frame, by_name):
    assert align(frame, by_name()).test_horizons == 3  # of 4 months, in 72
    assert align(frame, by_name(problem={"horizon": 1})).test_horizons == 14
    assert align(frame, by_name(problem={"horizon": 12})).test_horizons == 1
    assert align(frame, by_name(split={"test_horizons": 5})).test_horizons == 5
    started = frame.drop(frame[(frame["name"] == "b") & (frame.index < len(frame) - 36)].index)
    both = align(started, by_name(split={"test_horizons": "auto"}))
    assert both.dropped == []
    own_test = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(own.models / store.champion(own.models) / store.TEST_PREDICTIONS)
    assert predictions["origin"].nunique() == own_test["outcome"]["forecasts of each series"] == 4


def test_values_that_were_forecast_at_once_are_drawn_together():
    """Their errors go together: with each by itself the interval would look surer."""
    keys = pd.MultiIndex.from_product([["a"], range(6), range(1, 9)])
    paths = keys.to_frame(index=False, name=[SERIES, "origin", "step"])
    paths = paths.assign(**{PERIOD: 8 * paths["origin"] + paths["step"] - 1})
    groups = bootstrap_groups(paths)
    assert (groups.groupby(paths["origin"]).nunique() == 1).all()
    assert groups.nunique() == 6
    few = bootstrap_groups(paths[paths["origin"] < 2])
    assert few.nunique() == 6  # blocks of three dates
    many = pd.concat([paths.assign(**{SERIES: name}) for name in "abcdefghij"])
    assert bootstrap_groups(many).tolist() == many[SERIES].tolist()


def of_noise(own, values, candidates=("stl_ar", "ridge", "seasonal_naive", "drift"), **problem):
    """Let a project forecast one series of months, with all of its quick candidates."""
    months = pd.date_range("2010-01-01", periods=len(values), freq="MS").strftime("%Y-%m-%d")
    pd.DataFrame({"date": months, "y": values}).to_csv(own.root / "one.csv", index=False)
    defined = run_in(own.root, "define", "--data", "one.csv", "--target", "y")
    assert defined.exit_code == 0, defined.output
    edit(own, models={"candidates": list(candidates)}, problem=problem)
    done = run_in(own.root, "run")
    return done, json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))


def test_where_no_model_beats_the_baseline_the_baseline_serves_and_says_so(own):
    walk = 100 + np.random.default_rng(0).normal(size=150).cumsum()
    done, found = of_noise(own, walk)
    assert done.exit_code == 0, done.output
    assert found["model"] in ("seasonal_naive", "drift")
    said = "No candidate was surely better than the baselines in the backtest, so the baseline"
    assert said in done.output
    assert found["gate"]["passed"]
    assert said in (own.models / found["version"] / store.CARD).read_text(encoding="utf-8")
    assert load(own).forecast()["prediction"].notna().all()
    edit(own, problem={"minimum": 0.01})  # a bar that somebody has set holds for a baseline too
    assert run_in(own.root, "evaluate").exit_code == 1


class Level(BaseEstimator):
    """Forecasts the last value, `off` beside it."""

    def __init__(self, off=0.0):
        self.off = off

    def fit(self, panel):
        return self

    def forecast(self, panel, horizon):
        return np.repeat(panel.history[:, -1:], horizon, axis=1) + self.off


def test_the_ensemble_is_the_mean_of_the_candidates_and_names_them(own, monkeypatch):
    """Two levels are nearly as wrong, the third is so by more than twice as much."""
    levels, trusted = {"above": 1.5, "below": -1.3, "far": 9.0}, [f"{__name__}.Level"]
    for name, off in levels.items():
        monkeypatch.setitem(CANDIDATES, name, Candidate(Level(off)))
    for user in ("pipeline", "modeling.predictor"):
        monkeypatch.setattr(part("forecasting", user), "TRUSTED", trusted)
    values = 100 + 0.01 * np.random.default_rng(0).normal(size=150)
    done, found = of_noise(own, values, [*levels, "ensemble"])
    folder = own.models / found["version"]
    run = json.loads((folder / store.RUN).read_text(encoding="utf-8"))
    assert found["model"] == "ensemble"
    assert run["weights"] == {"above": 0.5, "below": 0.5}
    scores = {line["model"]: line["cv_mean"] for line in run["leaderboard"]}
    assert scores["ensemble"] < scores["below"] / 5
    said = "The ensemble is the mean of above, below; no other candidate is better by more than"
    assert said in done.output
    assert said in (own.reports / "index.html").read_text(encoding="utf-8")
    predictions = load(own, found["version"]).forecast()["prediction"]
    assert predictions.to_numpy() == pytest.approx(values[-1] + 0.1)


def test_an_ensemble_of_one_is_left_out_with_its_reason(own):
    mine = edit(own, models={"candidates": ["stl_ar", "ensemble", "drift"]})
    said = train(mine, CANDIDATES, cut_folds, {})
    assert "left out: ensemble, it joins candidates that are no baselines" in said


@pytest.mark.parametrize(
    ("name", "scores", "chosen"),
    [
        ("other", [0.7, 0.8, 1.1, 0.6, 0.9], "ensemble"),  # better by two standard errors
        ("other", [0.7, 0.8, 0.7, 0.6, 0.9], "other"),
        ("other", [0.7, 0.7], "ensemble"),  # two origins do not tell how sure it is
        ("drift", [0.7, 0.8, 1.2, 0.9, 0.9], "drift"),
        ("drift", [0.7, 0.8, 1.2, 1.3, 0.9], "ensemble"),
    ],
)
def test_the_ensemble_forecasts_unless_another_is_surely_better(name, scores, chosen):
    """A baseline by one standard error of the mean gain, any other by three."""
    member = Trial("ets", {}, scores=[1.2 for _ in scores])
    ensemble = Trial("ensemble", {"ets": 1.0}, scores=[1.0 for _ in scores], members=[member])
    result = SearchResult([member, ensemble, Trial(name, {}, scores=scores)], {}, {})
    plain = {"drift": scores} if name == "drift" else {}
    assert choose(result, plain, METRICS["mase"]).leaderboard[0].candidate == chosen


def test_a_forecast_is_held_against_the_baseline_date_by_date(own):
    """The years differ more than the model from the baseline, and yet it is surely better."""
    months = np.arange(150)
    noise = np.random.default_rng(0).normal(size=150)
    season = 10 * np.sin(2 * np.pi * months / 12)
    done, found = of_noise(own, 100 + months + season * (1 + months / 50) + noise)
    assert done.exit_code == 0, done.output
    what = next(
        c["what"] for c in found["gate"]["checks"] if "baseline seasonal_naive" in c["what"]
    )
    assert "on the same dates the model is better by" in what
    assert "80% are needed" in what


def test_a_test_of_one_horizon_says_how_little_it_tells(own, frame):
    done, _ = of_noise(own, frame["y"].iloc[:48], horizon=10)
    assert "The test is one horizon, and another one may tell otherwise" in done.output


def test_the_errors_of_the_test_count_to_the_intervals_of_the_model_not_to_those_tested(own):
    """The noise grows tenfold when the test begins."""
    noise = np.random.default_rng(0).normal(size=150) * np.where(np.arange(150) < 120, 1, 10)
    _, found = of_noise(own, noise, horizon=6)
    assert found["outcome"]["forecasts of each series"] == 5
    assert found["test"]["coverage"]["value"] < 0.6
    (tested,) = own.models.glob(f"{found['version']}/{store.TEST_PREDICTIONS}")
    tested = pd.read_parquet(tested)
    served = load(own, found["version"]).forecast()
    width = (tested["high"] - tested["low"]) / tested["scale"]
    assert ((served["high"] - served["low"]) / served["scale"]).mean() > 2 * width.mean()


def test_the_model_knows_the_test_in_the_end(project, rows):
    predictor = load(project)
    last = pd.to_datetime(rows[project.definition.columns.date]).max()
    assert predictor.describe()["history"]["until"] == f"{last:%Y-%m-%d}"


def test_evaluate_fits_nothing(own, monkeypatch):
    def fit(*_, **__):
        raise AssertionError

    before = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    for forecaster in (LocalForecaster, Lags):
        monkeypatch.setattr(forecaster, "fit", fit)
    done = run_in(own.root, "evaluate", "--force")
    assert done.exit_code == 0, done.output
    after = json.loads((own.reports / "metrics.json").read_text(encoding="utf-8"))
    assert after["test"] == before["test"]


def test_a_rule_of_the_business_holds_in_the_test_and_in_predictions(own, monkeypatch):
    def adjust(predictions, rows):
        columns = own.definition.columns
        assert list(rows) == [columns.date, *columns.series_names()]
        closed = rows[columns.date].dt.month.isin([1, 5])
        return predictions.mask(closed, 0.0, axis=0)

    monkeypatch.setattr(part("forecasting", "modeling.predictor"), "adjust", adjust)
    assert "MASE" in run_in(own.root, "evaluate", "--force").output
    folder = own.models / store.newest_version(own.models)
    tested = pd.read_parquet(folder / store.TEST_PREDICTIONS)
    found = load(own).forecast()
    may = pd.to_datetime(found["date"]).dt.month == 5
    assert (found.loc[may, ["prediction", "low", "high"]] == 0).all(axis=None)
    assert (found.loc[~may, "prediction"] != 0).all()
    assert (tested["prediction"] == 0).mean() == pytest.approx(2 / 12)  # of two whole years


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_predict_writes_a_row_for_each_series_and_date(own, rows, tmp_path, suffix):
    rows.to_parquet(tmp_path / "in.parquet")
    out = tmp_path / f"out.{suffix}"
    done = run_in(own.root, "predict", tmp_path / "in.parquet", out)
    assert done.exit_code == 0, done.output
    readers = {"csv": pd.read_csv, "parquet": pd.read_parquet}
    readers["jsonl"] = lambda path: pd.read_json(path, lines=True)
    found = readers[suffix](out)
    columns = own.definition.columns
    series = rows[columns.series_names()].drop_duplicates() if columns.series else [0]
    assert len(found) == own.definition.problem.horizon * len(series)
    assert not found.duplicated([columns.date, *columns.series_names()]).any()
    assert (found["low"] <= found["high"]).all()


def test_a_challenger_forecasts_a_scored_file_too_and_may_fail(own, rows, tmp_path):
    challenger = shadowed(edit(own, serving={"log_files": True}))
    source, out = tmp_path / "in.csv", tmp_path / "out.csv"
    rows.to_csv(source, index=False)
    assert run_in(own.root, "predict", source, out).exit_code == 0
    found = logged(own, challenger=challenger)
    assert len(found.metadata) == len(pd.read_csv(out))
    assert found.shadow["prediction"].tolist() == found.predictions["prediction"].tolist()
    (own.models / challenger / store.MODEL).write_bytes(b"not a model")
    done = run_in(own.root, "predict", source, out)
    assert done.exit_code == 0, done.output
    assert "the challenger in the shadow does not answer" in done.output


def test_forecasts_are_logged_once(own, rows, tmp_path):
    own, out = edit(own, serving={"log_files": True}), tmp_path / "out.csv"
    rows.to_csv(tmp_path / "in.csv", index=False)
    outputs = [run_in(own.root, "predict", tmp_path / "in.csv", out).output for _ in range(2)]
    assert ["had these rows already" in output for output in outputs] == [False, True]
    assert sorted(logged(own).metadata.index) == sorted(pd.read_csv(out)["prediction_id"])


def test_a_folder_of_whole_series_gives_the_forecasts_of_one_file(own, rows, tmp_path):
    """Each file is forecast by itself, so none may have a part of a series."""
    names = own.definition.columns.series_names()
    if not names:
        pytest.skip("there is one series")
    (tmp_path / "in").mkdir()
    rows.to_csv(tmp_path / "whole.csv", index=False)
    assert run_in(own.root, "predict", tmp_path / "whole.csv", tmp_path / "one.csv").exit_code == 0
    labels = rows[names[0]].unique()
    for k, some in enumerate((labels[:1], labels[1:])):
        rows[rows[names[0]].isin(some)].to_csv(tmp_path / "in" / f"{k}.csv", index=False)
    done = run_in(own.root, "predict", tmp_path / "in", tmp_path / "out")
    assert done.exit_code == 0, done.output
    found = pd.concat([pd.read_csv(tmp_path / "out" / f"{k}.csv") for k in (0, 1)])
    order = [own.definition.columns.date, *names]
    whole = pd.read_csv(tmp_path / "one.csv").sort_values(order, ignore_index=True)
    pd.testing.assert_frame_equal(found.sort_values(order, ignore_index=True), whole)
    assert f"{len(whole)} forecasts by " in done.output

    rows[rows[names[0]] == labels[0]].tail(3).to_csv(tmp_path / "in" / "2.csv", index=False)
    failed = run_in(own.root, "predict", tmp_path / "in", tmp_path / "out")
    assert failed.exit_code == 2
    assert (
        f'2.csv: the series "{labels[0]}" is in 0.csv as well; let a file have all' in failed.output
    )
    assert not (tmp_path / "out" / "2.csv").exists()


def test_newer_values_move_the_dates_on(own):
    predictor = load(own)
    before = predictor.forecast()
    columns = own.definition.columns
    newer = before.groupby("series").head(1)
    history = newer.rename(columns={"date": columns.date, "prediction": predictor.schema.target})
    if len(columns.series_names()) == 1:
        history = history.rename(columns={"series": columns.series_names()[0]})
    elif columns.series:
        pytest.skip("the series have several columns")
    after = predictor.forecast(history=history)
    assert after["date"].min() == sorted(set(before["date"]))[1]


@pytest.fixture
def local(own):
    """A project whose months begin at midnight in Berlin."""
    months = pd.date_range("2014-01-01", "2021-12-01", freq="MS", tz="Europe/Berlin")
    y = np.arange(len(months)) + 20 * np.sin(2 * np.pi * months.month / SEASON)
    y += np.random.default_rng(0).normal(size=len(months))
    frame = pd.DataFrame({"date": [month.isoformat() for month in months], "y": y})
    frame.to_csv(own.root / "rows.csv", index=False)
    columns = {"date": "date", "series": "", "unknown_at_prediction": [], "drop": []}
    problem = {"target": "y", "horizon": 6, "season": SEASON}
    edit(own, problem=problem, columns=columns, models={"candidates": ["arima"]})
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output
    return own


def test_an_empty_value_amid_a_history_is_a_gap_also_when_it_is_newer(local, tmp_path):
    newer = pd.DataFrame({"date": berlin("2022-01-01", "2022-07-01", freq="MS"), "y": 100.0})
    newer.loc[[1, 3], "y"] = np.nan
    for extra, expected in ((0, range(8, 14)), (2, (8, 9))):
        more = pd.DataFrame({"date": berlin("2022-08-01", freq="MS", periods=extra)})
        pd.concat([newer, more]).to_csv(tmp_path / "in.csv", index=False)
        done = run_in(local.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
        assert done.exit_code == 0, done.output
        found = pd.read_csv(tmp_path / "out.csv")
        days = pd.to_datetime(found["date"].str[:10])
        assert ((days.dt.year - 2022) * 12 + days.dt.month).tolist() == list(expected)
        assert (days.dt.day == 1).all()


def test_dates_too_far_ahead_are_refused_in_a_sentence(own, rows, tmp_path):
    date, target = own.definition.columns.date, own.definition.problem.target
    rows.head(1).assign(**{date: "2999-01-01", target: None}).to_csv(
        tmp_path / "in.csv", index=False
    )
    failed = run_in(own.root, "predict", tmp_path / "in.csv", tmp_path / "out.csv")
    assert failed.exit_code == 2
    assert "periods after what is known" in failed.output
    assert not (tmp_path / "out.csv").exists()


@pytest.fixture
def promoted(own, frame):
    """A project whose data has a column that is known ahead of time."""
    generator = np.random.default_rng(2)
    promotion = generator.integers(0, 2, len(frame))
    data = frame.assign(promotion=promotion, y=frame["y"] + 30 * promotion)
    data.to_csv(own.root / "rows.csv", index=False)
    edit(
        own,
        problem={"target": "y", "horizon": 4, "season": 12},
        columns={"date": "date", "series": "name", "unknown_at_prediction": [], "drop": []},
        models={"candidates": ["arima"]},
    )
    done = run_in(own.root, "run")
    assert done.exit_code == 0, done.output
    return own


def test_what_is_known_ahead_is_used_and_required(promoted):
    predictor = load(promoted)
    with pytest.raises(UserError, match='"promotion" is known ahead of time and is missing for'):
        predictor.forecast(2)
    future = predictor.typical_future()
    low, high = (
        predictor.forecast(2, future=future.assign(promotion=value))["prediction"]
        for value in (0, 1)
    )
    assert (high - low).to_numpy() == pytest.approx(30, abs=5)
    for_all = predictor.forecast(2, future=future.assign(promotion=1, name=None))
    assert for_all["prediction"].tolist() == high.tolist()


def test_a_feature_of_the_date_is_made_for_the_dates_to_come(own, monkeypatch):
    def add_features(inputs):
        dates = inputs[own.definition.columns.date]
        return inputs.assign(december=(dates.dt.month == 12).astype(float))

    package = part("forecasting", "modeling.predictor")
    monkeypatch.setattr(package, "add_features", add_features)
    monkeypatch.setattr(part("forecasting", "pipeline"), "add_features", add_features)
    edit(own, models={"candidates": ["ridge"]})
    done = run_in(own.root, "run", "--force")
    assert done.exit_code == 0, done.output
    predictor = load(own, store.newest_version(own.models))
    assert "december" in [column.name for column in predictor.schema.features]
    assert predictor.forecast()["prediction"].notna().all()


def test_improve_learns_from_new_dates_and_compares_on_what_neither_knew(own, rows):
    predictor = load(own)
    if predictor.known_ahead() or len(own.definition.columns.series_names()) > 1:
        pytest.skip("new rows cannot be made up")
    columns, target = own.definition.columns, own.definition.problem.target
    names = dict(zip(columns.series_names(), ["series"], strict=False))

    def came(found):
        called = {columns.date: "date", **names, target: "prediction"}
        return pd.DataFrame({name: found[source] for name, source in called.items()})

    first = came(predictor.forecast())  # and then twice as far as can be seen at once
    new = pd.concat([first, came(predictor.forecast(history=first))])
    pd.concat([rows, new]).to_csv(own.root / "rows.csv", index=False)
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert f"on the same {len(new):,} rows" in done.output


def test_a_champion_that_forecasts_worse_than_its_predecessor_is_rolled_back(own, frame):
    """The predecessor learnt less, but forecasts from where the champion does."""
    horizon = 4
    dates = sorted(frame["date"].unique())
    known, newer = (frame[frame["date"] < dates[k]] for k in (-3 * horizon, -horizon))
    edit(
        own,
        problem={"target": "y", "horizon": horizon, "season": 12},
        columns={"date": "date", "series": "name", "unknown_at_prediction": [], "drop": []},
        models={"candidates": ["arima"]},
        improvement={"minimum_rows": 8},
    )
    known.to_csv(own.root / "rows.csv", index=False)
    assert run_in(own.root, "run").exit_code == 0
    good = store.champion(own.models)
    newer.to_csv(own.root / "rows.csv", index=False)
    edit(own, models={"candidates": ["stl_ar"]})
    assert run_in(own.root, "run").exit_code == 0
    assert store.champion(own.models) != good

    wanted = frame[frame["date"] >= dates[-horizon]].reset_index(drop=True)
    history = pd.concat([newer, wanted.assign(y=np.nan)], ignore_index=True)
    true = load(own, good).predict(history)["prediction"]
    log(own, wanted, truth=true.reset_index(drop=True))
    done = run_in(own.root, "improve")
    assert done.exit_code == 0, done.output
    assert f"on the same {len(wanted)} rows" in done.output
    assert "of live rows: rolled back" in done.output
    assert store.champion(own.models) == good
