"""What the report shows of the test."""

from mlsteps.evaluation import TestResult
from mlsteps.plots import new_figure
from mlsteps.report import figure


def test_sections(tested: TestResult) -> list[str]:
    """Return the plots of the test, in order."""
    return [*tested.plots, plot_predictions(tested)]


def plot_predictions(tested: TestResult) -> str:
    """Plot how often each prediction was made: an example for plots of your own."""
    predictions = tested.predictions["prediction"]
    plot, axes = new_figure()
    if tested.definition.problem.target_kind == "number":
        axes.hist(predictions, bins=30)
    else:
        counts = predictions.value_counts().head(20)
        axes.bar([str(label) for label in counts.index], counts)
    axes.set(xlabel="prediction", ylabel="rows")
    return figure(plot, "How often each was predicted.", "Predictions")
