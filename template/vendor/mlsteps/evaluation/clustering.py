"""What the evaluation of clusters shows: where they lie, how far apart, and what each is like."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from ..modeling.clustering import CLOUD_ROWS, agreement, evaluate_clusters, mean_of_each
from ..plots import GREY, PALETTE, new_figure
from ..problem.clustering import PLACE, WIDTH
from ..report import figure, heading, table
from .bootstrap import Measured
from .gate import Check, enough
from .result import SEEN
from .rows import LEAST_ROWS, RowTest

GUESSES = 10
MOST_POINTS = 1000


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
        return [Check(stability >= least, reason), rows_enough]

    def shuffled_score(self, sample: pd.DataFrame) -> Callable[[pd.DataFrame], float]:
        """Return the function that measures how far clusters stay with shuffled features."""
        before = self.predictor.predict_features(sample)
        return lambda rows: agreement(before, self.predictor.predict_features(rows))

    def outcome(self) -> dict[str, object]:
        """Return how many clusters there are, and how many rows each has."""
        shares = self.predictions["prediction"].value_counts(normalize=True)
        classes = self.predictor.schema.decision["classes"]
        sizes = {f"cluster {name}": f"{shares.get(name, 0):.1%} of the rows" for name in classes}
        return {"clusters": len(classes), **sizes}

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
        tried = pd.DataFrame(self.run["trials"])
        tried = tried[tried["model"] == self.run["model"]]
        if len(tried) > 1:
            tried = tried.assign(clusters=tried["settings"].str["n_clusters"])
            lines = tried[["clusters", "silhouette", "stability"]].sort_values("clusters")
            caption = f"Of {self.run['model']}, by models fitted to parts of the rows."
            chosen = self.run["settings"].get("n_clusters")
            parts += [heading("How many clusters"), table(lines, caption, mark=chosen)]
        return parts

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
