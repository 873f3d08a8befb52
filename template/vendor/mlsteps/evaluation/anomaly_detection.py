"""What the evaluation of anomalies shows: how strange rows are, which are flagged, and why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter, PercentFormatter, ScalarFormatter
from scipy.stats import spearmanr

from ..files import read_frame
from ..modeling import store
from ..modeling.anomaly_detection import decide, default_decision, flag, predict
from ..modeling.predictor import Predictor
from ..plots import BLUE, GREY, ORANGE, bars, new_figure
from ..preparation.schema import GROUP
from ..problem.anomaly_detection import ANOMALY, DISTANCE, LABELLED, NORMAL
from ..problem.definition import Definition
from ..problem.metric import Metric, Metrics, evaluate_metrics
from ..report import figure, heading, number, paragraph, table
from .bootstrap import LEVEL, Measured, evaluate_metric, measure_gains
from .gate import Check
from .result import OUT_OF_FOLD, UNSEEN, features_and_target

LOSS = "Rank correlation with the scores that is lost when a feature is shuffled"
LEAST_ROWS, LEAST_ANOMALIES = 20, 5
SHOWN_ROWS, SHOWN_REASONS = 30, 10
BINS = 40


def measure_baselines(
    test: pd.DataFrame,
    predictor: Predictor,
    stored: dict[str, dict[str, float]],
    metrics: Metrics,
    definition: Definition,
) -> dict[str, dict[str, float]]:
    """Return the metrics of what needs no model.

    ``distance_to_mean`` scores a row by the Euclidean distance of its numbers to their mean;
    ``chance`` flags as many rows at random.
    """
    features, target = features_and_target(test, predictor.schema)
    distances = predictor.add_metric_columns(pd.DataFrame(index=features.index), features)
    known = target.dropna() == ANOMALY
    share = float(known.mean()) if len(known) else np.nan
    by_chance = {
        "roc_auc": 0.5,
        "pr_auc": share,
        "stability": 0.0,
        "precision": share,
        "recall": definition.problem.flagged_share,
    }
    by_distance = _by_distance(distances, definition)
    rivals = {
        "distance_to_mean": evaluate_metrics(metrics, target, by_distance),
        "chance": {name: value for name, value in by_chance.items() if np.isfinite(value)},
    }
    # The first stands in the summary, so it has to have the metric; stability is of no one model.
    labelled = definition.problem.metric in LABELLED
    return rivals if labelled else dict(reversed(rivals.items()))


def _by_distance(predictions: pd.DataFrame, definition: Definition) -> pd.DataFrame:
    """Return what the distance to the mean would predict."""
    return flag(predictions[DISTANCE].rename("score"), definition.problem.flagged_share)


def predict_test(
    features: pd.DataFrame, predictor: Predictor, *, seen: bool
) -> tuple[pd.DataFrame, str]:
    """Return the predictions of the test rows, and what the rows are.

    Rows that the model was fitted to are predicted by the models of the search that were not; the
    reasons are the model's own.
    """
    if not seen:
        return predictor.predict_features(features), UNSEEN
    out_of_fold = read_frame(predictor.folder / store.OUT_OF_FOLD).loc[features.index]
    decision = predictor.schema.decision
    predictions = decide(out_of_fold["score"], decision["threshold"])
    flagged = features[predictions["prediction"] == ANOMALY]
    why = _predict(predictor, flagged, decision | {"threshold": -np.inf})["reasons"]
    predictions = predictions.assign(reasons=why.reindex(predictions.index, fill_value=""))
    return predictor.adjust(predictions, features), OUT_OF_FOLD


def _predict(
    predictor: Predictor, features: pd.DataFrame, decision: dict[str, Any]
) -> pd.DataFrame:
    """Predict prepared rows by another decision than the one that is stored."""
    predictions = predict(predictor.pipeline[-1], predictor.numbers(features), decision)
    return pd.DataFrame(predictions, index=features.index)


def checks(
    rows: pd.DataFrame,
    predictions: pd.DataFrame,
    test: Measured,
    metric: Metric,
    definition: Definition,
) -> list[Check]:
    """Check that there are rows enough to tell, and that a simple distance is not better."""
    if definition.problem.metric not in LABELLED:
        enough = f"{len(rows):,} rows; at least {LEAST_ROWS} are needed to tell"
        return [Check(len(rows) >= LEAST_ROWS, enough)]
    target = rows[definition.problem.target]
    against = _against_distance(target, predictions, metric, definition, rows.get(GROUP))
    normal, anomalies = (int((target == name).sum()) for name in (NORMAL, ANOMALY))
    enough = (
        f"{normal:,} known normal rows, {anomalies:,} known anomalies; at least {LEAST_ROWS} and "
        f"{LEAST_ANOMALIES} are needed to tell"
    )
    passed = normal >= LEAST_ROWS and anomalies >= LEAST_ANOMALIES
    return [against, Check(passed, enough)]


def _against_distance(
    target: pd.Series,
    predictions: pd.DataFrame,
    metric: Metric,
    definition: Definition,
    group: pd.Series | None,
) -> Check:
    """Check that the distance to the mean is not surely better, by a paired bootstrap."""
    distance = _by_distance(predictions, definition)
    own, other = (evaluate_metric(metric, target, each) for each in (predictions, distance))
    gains = measure_gains(metric, target, distance, predictions, definition.search.seed, group)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.nanpercentile(gains, [tail, 100 - tail])
    return Check(
        bool(high >= 0),
        f"{metric.title} is better than that of the baseline distance_to_mean by "
        f"{number(metric.gain(own, other))} ({number(low)} to {number(high)}) on the same "
        "rows; it must not be surely worse",
    )


def importance_score(
    rows: pd.DataFrame, predictor: Predictor, metric: Metric, definition: Definition
) -> Callable[[pd.DataFrame], float]:
    """Return the function that measures how far scores keep their order with shuffled features."""
    features, target = features_and_target(rows, predictor.schema)
    plain = default_decision(target, definition)

    def scores(rows: pd.DataFrame) -> pd.Series:
        return _predict(predictor, rows, plain)["score"]

    before = scores(features)
    return lambda shuffled: float(spearmanr(before, scores(shuffled)).statistic)


def outcome(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> dict[str, object]:
    """Return key figures in words: the threshold, what it flags, and what it finds."""
    flagged = predictions["prediction"] == ANOMALY
    found = {
        "threshold of the score": round(predictor.schema.decision["threshold"], 3),
        "flagged": f"{flagged.sum():,} rows ({flagged.mean():.1%})",
    }
    anomalies = target == ANOMALY
    if not anomalies.any():
        return found | {"known anomalies": "none: nothing tells whether the right rows are flagged"}
    return found | {"known anomalies found": f"{(flagged & anomalies).sum()} of {anomalies.sum()}"}


def tables(target: pd.Series, predictions: pd.DataFrame, predictor: Predictor) -> list[str]:
    """Return the section of the report about the flagged rows, the strangest first."""
    flagged = predictions[predictions["prediction"] == ANOMALY].sort_values(
        "score", ascending=False
    )
    shown = flagged.head(SHOWN_ROWS)
    lines = [
        {
            "row": int(row) + 1,
            "score": line["score"],
            **({"label": target[row]} if target.notna().any() else {}),
            "because of": line["reasons"],
        }
        for row, line in shown.iterrows()
    ]
    if not lines:
        return [heading("The flagged rows"), paragraph("No row is flagged.")]
    left = len(flagged) - len(shown)
    more = [paragraph(f"{left:,} more are not shown.")] if left else []
    return [heading("The flagged rows"), table(lines), *more]


def plots(
    target: pd.Series, predictions: pd.DataFrame, predictor: Predictor, definition: Definition
) -> list[str]:
    """Return the plots: scores and threshold, why rows are flagged, what is found in order."""
    threshold = predictor.schema.decision["threshold"]
    plots = [_scores(target, predictions["score"], threshold), *_why(predictions)]
    if len(set(target.dropna())) == 2:
        plots.append(_found(target, predictions))
    return plots


def _scores(target: pd.Series, scores: pd.Series, threshold: float) -> str:
    end = max(scores.quantile(0.99), 2 * threshold)
    edges = np.linspace(scores.min(), end, BINS + 1).tolist()
    within = scores.clip(upper=end)
    colours = {NORMAL: BLUE, ANOMALY: ORANGE, "not known": GREY}
    known = target.fillna("not known")
    parts = {name: within[known == name] for name in colours if (known == name).any()}
    plot, axes = new_figure()
    fill = [colours[name] for name in parts]
    axes.hist(list(parts.values()), edges, stacked=True, color=fill, label=list(parts))
    axes.axvline(threshold, color=GREY, linestyle=":")
    axes.set_yscale("symlog", linthresh=10)
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.set(xlabel="score", ylabel="rows")
    if target.notna().any():
        axes.legend()
    beyond = int((scores > end).sum())
    more = f" The last bar holds {beyond} rows that lie beyond it." if beyond else ""
    return figure(plot, f"Dotted, the threshold: what lies above is flagged.{more}", "Scores")


def _why(predictions: pd.DataFrame) -> list[str]:
    named = (
        predictions.loc[predictions["prediction"] == ANOMALY, "reasons"].str.split("; ").explode()
    )
    counts = named[named != ""].value_counts().head(SHOWN_REASONS)
    if counts.empty:
        return []
    plot, axes = new_figure(height=0.6 + 0.24 * len(counts), grid="x")
    bars(axes, counts.index, counts.to_list())
    axes.set(xlabel="flagged rows")
    return [figure(plot, "What is named most often as a reason.", "Why rows are flagged")]


def _found(target: pd.Series, predictions: pd.DataFrame) -> str:
    there = target.notna()
    hits, rows = (target[there] == ANOMALY).to_numpy(), int(there.sum())
    shares = np.arange(1, rows + 1) / rows
    plot, axes = new_figure(grid="both")
    for column, label in {"score": "model", DISTANCE: "distance to the mean"}.items():
        order = np.argsort(-predictions.loc[there, column].to_numpy(), kind="stable")
        axes.step(shares, np.cumsum(hits[order]) / hits.sum(), where="post", label=label)
    axes.axvline(
        (predictions.loc[there, "prediction"] == ANOMALY).mean(), color=GREY, linestyle=":"
    )
    axes.set(xlabel="rows checked, the strangest first", ylabel="anomalies found")
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="lower right")
    caption = "Of those that are known. Dotted, what is flagged."
    return figure(plot, caption, "What checking finds")
