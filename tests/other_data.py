"""Data that are not like the samples: a table or two for each type of problem."""

import numpy as np
import pandas as pd

WORDS = ["the", "machine", "stopped", "after", "a", "long", "night", "of", "noise", "again"]


def rare(draw: np.random.Generator, rows: int = 2000, share: float = 0.02) -> pd.DataFrame:
    """Return rows that are sorted by a class which is rare, with a text and a gap."""
    positive = np.arange(rows) >= rows * (1 - share)
    frame = numbers(draw, rows)
    frame["a"] += 2 * positive
    frame.loc[::7, "b"] = np.nan
    frame["remark"] = [" ".join(draw.choice(WORDS, 6)) for _ in range(rows)]
    return frame.assign(failed=np.where(positive, "Yes", "No"))


def few(draw: np.random.Generator, rows: int = 100) -> pd.DataFrame:
    """Return few rows with a class that three of them have, a group and a label of one row."""
    frame = numbers(draw, rows)
    frame["patient_id"] = [f"p{k // 4}" for k in range(rows)]
    frame["Outcome"] = np.where(frame["a"] > 0, "Better", "Same")
    frame.loc[[5, 50, 95], "Outcome"] = "Worse"
    frame.loc[rows - 1, "ward"] = "of one row"
    return frame


def sales(draw: np.random.Generator, rows: int = 300) -> pd.DataFrame:
    """Return dated rows with an amount, which has gaps and grows."""
    frame = numbers(draw, rows)
    frame["sold"] = pd.date_range("2024-01-01", periods=rows).strftime("%d.%m.%Y")
    frame["amount"] = (1e6 + 1e5 * frame["a"] + 1e3 * np.arange(rows)).round()
    frame.loc[::9, "amount"] = np.nan
    return frame


def homes(draw: np.random.Generator, rows: int = 100) -> pd.DataFrame:
    """Return few rows in groups with a number that is always whole."""
    frame = numbers(draw, rows)
    frame["street_id"] = np.arange(rows) // 5
    return frame.assign(rooms=np.round(20 + 5 * frame["a"] + 3 * frame["b"]))


def clouds(draw: np.random.Generator, rows: int = 100) -> pd.DataFrame:
    """Return few rows in two clouds."""
    frame = numbers(draw, rows)
    frame[["a", "b"]] += 6.0 * (np.arange(rows) % 2)[:, None]
    return frame


def texts(draw: np.random.Generator, rows: int = 300) -> pd.DataFrame:
    """Return rows with a text and a date in two clouds, one of them small."""
    frame = clouds(draw, rows).drop(columns="ward")
    frame.loc[: rows // 20, ["a", "b"]] -= 9.0
    frame["seen"] = pd.date_range("2024-01-01", periods=rows, freq="h").astype("str")
    return frame.assign(remark=[" ".join(draw.choice(WORDS, 6)) for _ in range(rows)])


def shops(draw: np.random.Generator, periods: int = 60) -> pd.DataFrame:
    """Return several series of months, and what is known of them."""
    months = pd.date_range("2019-01-01", periods=periods, freq="MS")
    season = 10 * np.sin(np.arange(periods) * np.pi / 6)
    parts = [
        pd.DataFrame({"month": months, "shop": shop, "sold": level + season})
        for shop, level in {"North": 50.0, "South": 200.0, "Überlingen": 1e6}.items()
    ]
    frame = pd.concat(parts)
    return frame.assign(sold=frame["sold"] + draw.normal(size=len(frame)))


def numbers(draw: np.random.Generator, rows: int) -> pd.DataFrame:
    """Return two numbers and a label."""
    return pd.DataFrame(
        {
            "a": draw.normal(size=rows),
            "b": draw.normal(size=rows),
            "ward": draw.choice(["A", "B", "C"], rows),
        }
    )


DATA = {  # by name: the type of problem, what makes the data, and the target
    "rare": ("classification", rare, "failed"),
    "few": ("classification", few, "Outcome"),
    "sales": ("regression", sales, "amount"),
    "homes": ("regression", homes, "rooms"),
    "texts": ("clustering", texts, ""),
    "unlabelled": ("anomaly_detection", few, ""),
    "shops": ("forecasting", shops, "sold"),
}
