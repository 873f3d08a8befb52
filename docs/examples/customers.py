"""Make up customers of a telephone company whose contracts come up for renewal.

Writes customers.csv, two years of them, and customers-2026.csv, the quarter that follows. With
2026 the prices go up, and customers mind.
"""
# ruff: noqa: PLR2004, S311, T201 -- a script with made-up numbers, and nothing is secret

import csv
import random
from datetime import date, timedelta
from math import exp
from pathlib import Path

PRICES = {"basic": 15, "plus": 29, "family": 45}
RISE = date(2026, 1, 1)


def customer(number: int, day: date, draw: random.Random) -> dict[str, object]:
    """Make up one customer, and whether they leave at the renewal."""
    dearer = day >= RISE
    plan = draw.choices(list(PRICES), [5, 3, 2])[0]
    fee = PRICES[plan] + draw.randint(-3, 6) + 9 * dearer
    minutes = round(draw.gammavariate(3, 90))
    complaints = draw.choices([0, 1, 2, 3, 4], [60, 22, 10, 5, 3])[0]
    age = draw.randint(18, 85)
    risk = -2.4 + 0.9 * complaints + 0.8 * (plan == "basic") - 0.005 * (minutes - 270)
    risk += (0.10 if dearer else 0.05) * (fee - 25) + (0.025 if dearer else -0.015) * (age - 45)
    left = draw.random() < 1 / (1 + exp(-risk))
    return {
        "customer": f"C{number:05}",
        "renewal": day.isoformat(),
        "plan": plan,
        "region": draw.choice(["north", "east", "south", "west"]),
        "age": age if draw.random() > 0.08 else "",
        "monthly_fee": fee,
        "minutes": minutes if draw.random() > 0.03 else "unknown",
        "complaints": complaints,
        "cancellation_call": "yes" if left and draw.random() < 0.97 else "no",
        "left": "yes" if left else "no",
    }


def write(path: str, first: int, start: date, days: int, number: int) -> None:
    """Write so many customers, spread evenly over the days."""
    draw = random.Random(path)
    dates = [start + timedelta(k * days // number) for k in range(number)]
    rows = [customer(first + k, day, draw) for k, day in enumerate(dates)]
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(f"{number:,} customers in {path}")


if __name__ == "__main__":
    write("customers.csv", 0, date(2024, 1, 1), 731, 3000)
    write("customers-2026.csv", 3000, RISE, 90, 1200)
