"""What the evaluation of a regressor shows."""

import numpy as np

from ..plots import BLUE, GREY, ORANGE, new_figure
from ..problem.regression import INTERVAL, arrays
from ..report import figure
from .rows import RowTest

MOST_POINTS = 1000  # drawn; more would be a blot


class Test(RowTest):
    """The test of a regressor."""

    def outcome(self) -> dict[str, object]:
        """Return the size of the errors and of the intervals."""
        true, predicted, low, high = arrays(self.target, self.predictions)
        return {
            "median absolute error": float(np.median(np.abs(true - predicted))),
            "mean error (predicted − true)": float(np.mean(predicted - true)),
            f"median width of the {INTERVAL:.0%} interval": float(np.median(high - low)),
        }

    def plots(self) -> list[str]:
        """Return the plots: predicted against true, residuals."""
        sample = self.target.sample(min(len(self.target), MOST_POINTS), random_state=self.seed)
        true, predicted, low, high = arrays(sample, self.predictions.loc[sample.index])
        pairs, axes = new_figure(grid="both")
        axes.vlines(true, low, high, color=BLUE, alpha=0.12, linewidth=1.2)
        axes.plot(true, predicted, "o", color=BLUE, alpha=0.6)
        axes.axline((true.min(), true.min()), slope=1, color=GREY, linestyle=":")
        axes.set(xlabel="true", ylabel="predicted")
        errors, axes = new_figure(grid="both")
        axes.plot(predicted, true - predicted, "o", color=ORANGE, alpha=0.6)
        axes.axhline(0, color=GREY, linestyle=":")
        axes.set(xlabel="predicted", ylabel="true − predicted")
        return [
            figure(pairs, f"Each with its {INTERVAL:.0%} interval.", "Predicted against true"),
            figure(errors, "A pattern here is something that the model has missed.", "Residuals"),
        ]
