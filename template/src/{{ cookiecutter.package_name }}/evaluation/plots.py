"""What the report shows of the test."""

from mlsteps.evaluation import TestResult
from mlsteps.plots import new_figure
from mlsteps.report import figure

BINS = 30
MOST_LABELS = 20


def evaluation_sections(result: TestResult) -> list[str]:
    """Return the plots of the test, in order."""
    return [*result.plots, plot_predictions(result)]


def plot_predictions(result: TestResult) -> str:
    """Plot how often each prediction was made: an example for plots of your own.

    `result` holds the true values (``target``), the ``predictions`` and the ``features`` of the
    test rows, and all that was measured.
    """
    predictions = result.predictions["prediction"]
    fig, axes = new_figure()  # a figure of matplotlib and its axes, in the report's style
    if result.definition.problem.target_kind == "number":
        axes.hist(predictions, bins=BINS)
    else:
        counts = predictions.value_counts().head(MOST_LABELS)
        axes.bar([str(label) for label in counts.index], counts)
    axes.set(xlabel="prediction", ylabel="rows")
    return figure(fig, "How often each was predicted.", "Predictions")
