"""What the evaluation of clusters shows: where they lie, how far apart, and what each is like."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ..files import read_json
from ..modeling import store
from ..modeling.clustering import CLOUD_ROWS, agreement, evaluate_clusters, mean_of_each
from ..modeling.predictor import Predictor
from ..plots import GREY, PALETTE, new_figure
from ..problem.clustering import METRICS, PLACE, WIDTH
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics
from ..report import figure, heading, table
from .bootstrap import Measured
from .gate import Check
from .result import SEEN, UNSEEN

LOSS = "Agreement with the clusters that is lost when a feature is shuffled"
GUESSES = 10
MOST_POINTS = 1000
LEAST_ROWS = 20


def measure_baselines(
    test: pd.DataFrame,
    predictor: Predictor,
    stored: dict[str, dict[str, float]],
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, float]]:
    """Return the metrics of clusterings that cannot be right.

    Those of ``one_cluster`` were computed in training; ``random`` puts the test rows into clusters
    of the same sizes by chance.
    """
    generator = np.random.default_rng(definition.search.seed)
    numbers = predictor.numbers(test)
    if len(numbers) > CLOUD_ROWS:
        numbers = numbers[generator.permutation(len(numbers))[:CLOUD_ROWS]]
    clusters = predictor.pipeline[-1].predict(numbers)
    guesses = [generator.permutation(clusters) for _ in range(GUESSES)]
    found = [evaluate_clusters(numbers, guess, metrics) for guess in guesses]
    return stored | {"random": mean_of_each(found)}


def predict_test(
    features: pd.DataFrame, predictor: Predictor, *, seen: bool
) -> tuple[pd.DataFrame, str]:
    """Return the predictions of the test rows, and what the rows are."""
    return predictor.predict_features(features), SEEN if seen else UNSEEN


def checks(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    test: Measured,
    metric: Metric,
    definition: Definition,
) -> list[Check]:
    """Check that the clusters hold, and that there are rows enough to tell."""
    stability, least = test["stability"]["value"], definition.problem.minimum_stability
    return [
        Check(
            stability >= least,
            f"Stability is {stability:.2f}; at least {least:g} is asked for",
        ),
        Check(
            len(rows) >= LEAST_ROWS, f"{len(rows):,} rows; at least {LEAST_ROWS} are needed to tell"
        ),
    ]


def importance_score(
    rows: pd.DataFrame, predictor: Predictor, metric: Metric, definition: Definition
) -> Callable[[pd.DataFrame], float]:
    """Return the function that measures how far clusters stay with shuffled features."""
    before = predictor.predict_features(rows)
    return lambda shuffled: agreement(before, predictor.predict_features(shuffled))


def outcome(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: how many clusters there are, and how many rows each has."""
    shares = predictions["prediction"].value_counts(normalize=True)
    classes = predictor.schema.decision["classes"]
    sizes = {f"cluster {name}": f"{shares.get(name, 0):.1%} of the rows" for name in classes}
    return {"clusters": len(classes), **sizes}


def tables(target: pd.Series, predictions: pd.DataFrame, predictor: Predictor) -> list[str]:
    """Return the sections of the report about each cluster: what it is like, and who is in it."""
    profiles, shares = (
        predictor.schema.decision["profiles"],
        predictions["prediction"].value_counts(),
    )
    lines = [
        {
            "cluster": name,
            "rows": int(shares.get(name, 0)),
            "silhouette": predictions.loc[predictions["prediction"] == name, WIDTH].mean(),
            "what it is like": words,
        }
        for name, words in profiles.items()
    ]
    parts = [heading("What each cluster is like"), table(lines)]
    if target.notna().any():
        counts = pd.crosstab(predictions["prediction"], target).rename_axis(index="cluster")
        counts.columns = [str(name) for name in counts.columns]
        parts += [heading(f"Clusters against {target.name}"), table(counts)]
    return parts


def plots(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> list[str]:
    """Return the plots: the projection, the silhouettes, and the numbers of clusters tried."""
    names = predictor.schema.decision["classes"]
    run = read_json(predictor.folder / store.RUN)
    return [
        _projection(predictions, names, definition.search.seed),
        _silhouettes(predictions, names),
        *_numbers(run, definition),
    ]


def _colour(place: int) -> str:
    return PALETTE[place] if place < len(PALETTE) - 1 else GREY


def _projection(predictions: pd.DataFrame, names: list[str], seed: int) -> str:
    sample = predictions.sample(min(len(predictions), MOST_POINTS), random_state=seed)
    places = sample[[name for name in sample if str(name).startswith(PLACE)]].to_numpy()
    plot, axes = new_figure(grid="both")
    centred = places - places.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    points = np.zeros((len(places), 2))
    points[:, : len(sizes[:2])] = centred @ directions[:2].T
    for k, name in enumerate(names):
        mine = points[(sample["prediction"] == name).to_numpy()]
        axes.plot(*mine.T, "o", color=_colour(k), alpha=0.6, label=name)
    axes.set(xlabel="first principal component", ylabel="second")
    if len(names) <= 8:
        axes.legend(title="cluster")
    kept = (sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12)
    return figure(plot, f"The two directions that keep most: {kept:.0%} of the variance.", "Map")


def _silhouettes(predictions: pd.DataFrame, names: list[str]) -> str:
    plot, axes = new_figure(height=2.6, grid="x")
    start, ticks = 0, []
    for k, name in enumerate(names):
        widths = np.sort(
            predictions.loc[predictions["prediction"] == name, WIDTH].dropna().to_numpy()
        )
        ends = np.arange(start, start + len(widths))
        axes.fill_betweenx(ends, 0, widths, color=_colour(k), alpha=0.75, linewidth=0)
        ticks.append(start + len(widths) / 2)
        start += len(widths) + max(1, len(predictions) // 60)
    mean = predictions[WIDTH].mean()
    axes.axvline(mean, color=GREY, linestyle=":")
    axes.set_yticks(ticks, names)
    axes.invert_yaxis()
    axes.set(xlabel="silhouette", ylabel="cluster")
    caption = "A line for each row: 1 is deep inside its cluster, below 0 nearer to another."
    return figure(plot, f"{caption} Dotted, the mean.", "Silhouettes")


def _numbers(run: dict[str, Any], definition: Definition) -> list[str]:
    """Return the plot of silhouette and stability for each number of clusters of the winner."""
    others = {key: value for key, value in run["settings"].items() if key != "n_clusters"}
    tried = [
        (line["settings"]["n_clusters"], line)
        for line in run["trials"]
        if line["model"] == run["model"]
        and "n_clusters" in line["settings"]
        and others == {k: v for k, v in line["settings"].items() if k != "n_clusters"}
    ]
    if len(tried) < 2:
        return []
    tried.sort(key=lambda pair: pair[0])
    plot, axes = new_figure(grid="both")
    for name in ("silhouette", "stability"):
        values = [line[name] for _, line in tried]
        axes.plot([k for k, _ in tried], values, marker="o", label=METRICS[name].title)
    axes.axvline(run["settings"]["n_clusters"], color=GREY, linestyle=":")
    axes.axhline(definition.problem.minimum_stability, color=PALETTE[1], linestyle=":", linewidth=1)
    axes.set(xlabel="clusters")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    caption = (
        f"Of {run['model']}, by models fitted to parts of the rows. Dotted: what was "
        "chosen, and the stability that is asked for."
    )
    return [figure(plot, caption, "How many clusters")]
