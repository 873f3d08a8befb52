"""What the evaluation of anomalies shows: how strange rows are, which are flagged, and why."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.ticker import ScalarFormatter
from scipy.stats import spearmanr
from sklearn.metrics import RocCurveDisplay

from ..files import read_frame
from ..modeling import store
from ..modeling.anomaly_detection import decide, flag, predict
from ..plots import BLUE, GREY, ORANGE, new_figure
from ..problem.anomaly_detection import ANOMALY, DISTANCE, LABELLED, NORMAL
from ..problem.metric import evaluate_metrics
from ..report import counted, figure, heading, number, paragraph, table
from .bootstrap import Measured, compare_pairs, interval
from .gate import Check, enough
from .result import OUT_OF_FOLD
from .rows import LEAST_ROWS, RowTest

LEAST_ANOMALIES = 5
SHOWN_ROWS = 30
BINS = 40


class Test(RowTest):
    """The test of a detector."""

    loss = "Rank correlation with the scores that is lost when a feature is shuffled"
    tested_on_seen = OUT_OF_FOLD

    def predict(self) -> pd.DataFrame:
        """Predict the rows.

        Rows that the model was fitted to have the scores of the models of the search that were
        not; the reasons are the model's own.
        """
        if not self.seen:
            return super().predict()
        predictor, decision = self.predictor, self.predictor.schema.decision
        scores = read_frame(predictor.folder / store.OUT_OF_FOLD)["score"][self.features.index]
        predictions = decide(scores, decision["threshold"]).assign(reasons="")
        flagged = self.features[predictions["prediction"] == ANOMALY]
        explained = decision | {"threshold": -np.inf}  # so that each of these rows has reasons
        own = predict(predictor.pipeline[-1], predictor.numbers(flagged), explained)
        predictions.loc[flagged.index, "reasons"] = own["reasons"]
        return predictor.adjust(predictions, self.features)

    def by_distance(self) -> pd.DataFrame:
        """Return what the distance to the mean would predict."""
        distances = self.predictions[DISTANCE].rename("score")
        return flag(distances, self.definition.problem.flagged_share)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the metrics of what needs no model.

        ``distance_to_mean`` scores a row by the Euclidean distance of its numbers to their mean;
        ``chance`` flags as many rows at random.
        """
        known = self.target.dropna() == ANOMALY
        found = {
            "distance_to_mean": evaluate_metrics(self.metrics, self.target, self.by_distance())
        }
        chance = {"roc_auc": 0.5, "stability": 0.0}
        chance["recall"] = self.definition.problem.flagged_share
        if len(known):
            chance |= dict.fromkeys(("pr_auc", "precision"), float(known.mean()))
        found["chance"] = chance
        # The first stands in the summary, so it has to have the metric; stability is of no one
        # model.
        labelled = self.definition.problem.metric in LABELLED
        return found if labelled else dict(reversed(found.items()))

    def checks(self, measured: Measured) -> list[Check]:
        """Check that there are enough rows, and that a simple distance is not better."""
        if self.definition.problem.metric not in LABELLED:
            return [enough({"rows": (len(self.rows), LEAST_ROWS)})]
        normal, anomalies = ((self.target == label).sum() for label in (NORMAL, ANOMALY))
        counts = {
            "known normal rows": (normal, LEAST_ROWS),
            "known anomalies": (anomalies, LEAST_ANOMALIES),
        }
        return [self._against_distance(), enough(counts)]

    def _against_distance(self) -> Check:
        """Check that the distance to the mean is not better; a paired bootstrap says how surely."""
        distance, metric = self.by_distance(), self.metric
        other, own, gains = compare_pairs(
            metric, self.target, distance, self.predictions, self.seed, self.resampled
        )
        low, high = interval(gains)
        return Check(
            metric.gain(own, other) >= 0,
            f"{metric.title} is better than that of the baseline distance_to_mean by "
            f"{number(metric.gain(own, other))} ({number(low)} to {number(high)}) on the same "
            "rows; it must not be worse",
        )

    def shuffled_score(self, sample: pd.DataFrame) -> Callable[[pd.DataFrame], float]:
        """Return the function that measures how far scores keep their order when shuffled."""

        def scores(rows: pd.DataFrame) -> np.ndarray:
            return self.predictor.pipeline[-1].score(self.predictor.numbers(rows))

        before = scores(sample)
        return lambda rows: float(spearmanr(before, scores(rows)).statistic)

    def outcome(self) -> dict[str, object]:
        """Return the threshold, what it flags, and what it finds."""
        flagged, anomalies = self.predictions["prediction"] == ANOMALY, self.target == ANOMALY
        found = "none, so nobody knows whether the right rows are flagged"
        if anomalies.any():
            found = f"{(flagged & anomalies).sum()} of {anomalies.sum()} are flagged"
        return {
            "threshold of the score": round(self.predictor.schema.decision["threshold"], 3),
            "flagged": f"{counted(flagged.sum(), 'row')} ({flagged.mean():.1%})",
            "known anomalies": found,
        }

    def tables(self) -> list[str]:
        """Return the section of the report about the flagged rows, the strangest first."""
        flagged = self.predictions[self.predictions["prediction"] == ANOMALY]
        if flagged.empty:
            return [heading("The flagged rows"), paragraph("No row is flagged.")]
        shown = flagged.nlargest(SHOWN_ROWS, "score")
        lines = pd.DataFrame({"row": shown.index + 1, "score": shown["score"].to_numpy()})
        if self.target.notna().any():
            lines["label"] = self.target[shown.index].to_numpy()
        lines["because of"] = shown["reasons"].to_numpy()
        left = len(flagged) - len(shown)
        more = f"{left:,} more are not shown." if left else ""
        return [heading("The flagged rows"), table(lines, more)]

    def plots(self) -> list[str]:
        """Return the plots: scores and threshold, and the ROC curve where labels are known."""
        sections = [self._scores()]
        known = self.target.dropna()
        if known.nunique() == 2:
            fig, axes = new_figure(grid="both")
            for column, name in {"score": "model", DISTANCE: "distance to the mean"}.items():
                scores = self.predictions.loc[known.index, column]
                RocCurveDisplay.from_predictions(known == ANOMALY, scores, ax=axes, name=name)
            axes.set(xlabel="false positive rate", ylabel="true positive rate", aspect="auto")
            sections.append(figure(fig, "Of the rows whose label is known.", "ROC"))
        return sections

    def _scores(self) -> str:
        """Plot how often each score is, by what is known of the rows."""
        scores, threshold = self.predictions["score"], self.predictor.schema.decision["threshold"]
        within = scores.clip(upper=max(scores.quantile(0.99), 2 * threshold))
        known = self.target.fillna("not known")
        colours = {NORMAL: BLUE, ANOMALY: ORANGE, "not known": GREY}
        parts = [within[known == name] for name in colours]
        fig, axes = new_figure()
        axes.hist(parts, BINS, stacked=True, color=[*colours.values()], label=[*colours])
        axes.axvline(threshold, color=GREY, linestyle=":")
        axes.set_yscale("symlog", linthresh=10)
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.set(xlabel="score", ylabel="rows")
        axes.legend()
        caption = (
            "Dotted, the threshold: what lies above is flagged. The last bar holds all beyond."
        )
        return figure(fig, caption, "Scores")
