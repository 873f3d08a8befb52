"""What the evaluation of clusters shows: where they lie, how far apart, and what each is like."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..modeling.clustering import (
    CLOUD_ROWS,
    FAR,
    agreement,
    are_outliers,
    evaluate_clusters,
    mean_of_each,
)
from ..plots import GREY, PALETTE, new_figure
from ..problem.clustering import PLACE, WIDTH
from ..report import counted, figure, heading, table
from .bootstrap import Measured
from .gate import Check, enough
from .result import SEEN
from .rows import LEAST_ROWS, RowTest

GUESSES = 10
MOST_POINTS = 1000
MOST_OUTLIERS, MOST_COLUMNS = 20, 8  # that the report shows
OUTLIERS = f"At least {FAR:g} times as far from a cluster as any row that it was fitted to."
SIGNS = (
    "The best of each number, by models fitted to parts of the rows. Those that are stable and "
    "describe held-out rows as well as the best are equal, and the metric chooses. Of draws of the "
    "rows, the share in which the number comes out."
)


class Test(RowTest):
    """The test of a clustering."""

    loss = "Agreement with the clusters that is lost when a feature is shuffled"
    tested_on_seen = SEEN

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the metrics of clusterings that cannot be right.

        Those of ``one_cluster`` were computed in training; ``random`` puts the test rows into
        clusters of the same sizes by chance.
        """
        generator = np.random.default_rng(self.seed)
        numbers = self.predictor.numbers(self.rows)
        if len(numbers) > CLOUD_ROWS:
            numbers = numbers[generator.permutation(len(numbers))[:CLOUD_ROWS]]
        clusters = self.predictor.pipeline[-1].predict(numbers)
        guesses = [generator.permutation(clusters) for _ in range(GUESSES)]
        found = [evaluate_clusters(numbers, guess, self.metrics) for guess in guesses]
        return self.run["baselines"] | {"random": mean_of_each(found)}

    def checks(self, measured: Measured) -> list[Check]:
        """Check that the clusters hold, and that there are enough rows."""
        stability = measured["stability"]["value"]
        least = self.definition.problem.minimum_stability
        reason = f"Stability is {stability:.2f}; at least {least:g} is needed"
        rows_enough = enough({"rows": (len(self.rows), LEAST_ROWS)})
        checks = [Check(stability >= least, reason), rows_enough]
        if choice := self.run.get("choice"):
            checks.append(Check(choice.get("clusters") != 1, choice["said"], noted=True))
        return checks

    def shuffled_score(self, sample: pd.DataFrame) -> Callable[[pd.DataFrame], float]:
        """Return the function that measures how far clusters stay with shuffled features."""
        before = self.predictor.predict_features(sample)
        return lambda rows: agreement(before, self.predictor.predict_features(rows))

    def outcome(self) -> dict[str, object]:
        """Return how many clusters there are, and how many rows each has."""
        shares = self.predictions["prediction"].value_counts(normalize=True)
        classes = self.predictor.schema.decision["classes"]
        sizes = {f"cluster {name}": f"{shares.get(name, 0):.1%} of the rows" for name in classes}
        outliers = int(are_outliers(self.predictions, self.predictor.schema.decision).sum())
        far = {"outliers": f"{counted(outliers, 'row')} far from every cluster"}
        sure = self.run.get("choice", {}).get("sure")
        how = {} if sure is None else {"sure of the number": f"{sure:.0%} of the draws"}
        return {"clusters": len(classes), **how, **sizes, **(far if outliers else {})}

    def tables(self) -> list[str]:
        """Return what each cluster is like, and which known labels are in it."""
        predictions = self.predictions
        profiles = pd.Series(self.predictor.schema.decision["profiles"])
        clusters = predictions.groupby("prediction")[WIDTH].agg(["size", "mean"])
        lines = clusters.reindex(profiles.index).assign(words=profiles).rename_axis("cluster")
        lines.columns = ["rows", "silhouette", "what it is like"]
        parts = [heading("What each cluster is like"), table(lines)]
        if self.target.notna().any():
            counts = pd.crosstab(predictions["prediction"], self.target)
            counts = counts.rename_axis(index="cluster").rename(columns=str)
            parts += [heading(f"Clusters against {self.target.name}"), table(counts)]
        parts += self._outliers()
        if numbers := self.run.get("choice", {}).get("numbers"):
            lines = pd.DataFrame(numbers).rename(columns=self._title)
            parts += [
                heading("How many clusters"),
                table(lines, SIGNS, mark=numbers[0]["clusters"]),
            ]
        return parts

    def _title(self, name: str) -> str:
        """Return what a column of the table of numbers is called."""
        name = self.definition.problem.metric if name == "score" else name
        return self.metrics[name].title if name in self.metrics else name

    def _outliers(self) -> list[str]:
        """Return the rows that are far from their clusters, the farthest first."""
        decision, predictions = self.predictor.schema.decision, self.predictions
        far = predictions[are_outliers(predictions, decision)]
        if far.empty:
            return []
        far = far[["prediction", "distance"]].nlargest(MOST_OUTLIERS, "distance")
        far = far.rename(columns={"prediction": "nearest cluster"})
        shown = self.features.loc[far.index].iloc[:, :MOST_COLUMNS]
        return [heading("Outliers"), table(far.join(shown).rename_axis("row"), OUTLIERS)]

    def plots(self) -> list[str]:
        """Return the plots: the projection, and the silhouettes."""
        names = self.predictor.schema.decision["classes"]
        colours = [PALETTE[min(k, len(PALETTE) - 1)] for k in range(len(names))]
        return [self._projection(names, colours), self._silhouettes(names, colours)]

    def _projection(self, names: list[str], colours: list[str]) -> str:
        """Plot the rows by their first two principal components."""
        count = min(len(self.predictions), MOST_POINTS)
        sample = self.predictions.sample(count, random_state=self.seed)
        places = sample[[name for name in sample if str(name).startswith(PLACE)]].to_numpy()
        projection = PCA(min(2, *places.shape)).fit(places)
        points = np.zeros((len(places), 2))
        points[:, : projection.n_components_] = projection.transform(places)
        fig, axes = new_figure(grid="both")
        for name, colour in zip(names, colours, strict=True):
            mine = points[(sample["prediction"] == name).to_numpy()]
            axes.plot(*mine.T, "o", color=colour, alpha=0.6, label=name)
        axes.set(xlabel="first principal component", ylabel="second")
        if len(names) <= 8:
            axes.legend(title="cluster")
        kept = f"{projection.explained_variance_ratio_.sum():.0%} of the variance"
        return figure(fig, f"The two directions that keep most: {kept}.", "Map")

    def _silhouettes(self, names: list[str], colours: list[str]) -> str:
        """Plot the silhouette of each row, cluster by cluster."""
        fig, axes = new_figure(height=2.6, grid="x")
        start, ticks, predictions = 0, [], self.predictions
        for name, colour in zip(names, colours, strict=True):
            widths = predictions.loc[predictions["prediction"] == name, WIDTH].dropna()
            ends = np.arange(start, start + len(widths))
            axes.fill_betweenx(ends, 0, np.sort(widths), color=colour, alpha=0.75, linewidth=0)
            ticks.append(start + len(widths) / 2)
            start += len(widths) + max(1, len(predictions) // 60)
        axes.axvline(predictions[WIDTH].mean(), color=GREY, linestyle=":")
        axes.set_yticks(ticks, names)
        axes.invert_yaxis()
        axes.set(xlabel="silhouette", ylabel="cluster")
        caption = "A line for each row: 1 is deep inside its cluster, below 0 nearer to another."
        return figure(fig, f"{caption} Dotted, the mean.", "Silhouettes")
