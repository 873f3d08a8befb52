"""What problems with a target share: a column to predict, and a baseline that guesses it."""

from pydantic import Field

from .settings import Goal

UNKNOWN_BAR = "no better than guessing: set what is good enough for you"


class Supervised(Goal):
    """What stands in ``[problem]`` where a target is predicted."""

    target: str = Field(min_length=1)
    metric: str
    baseline: str
    minimum: float

    def task(self, target: str, columns: int, rows: int) -> str:
        """Say in a sentence what is to be done; `target` is described by `check_target`."""
        plural = "s" if columns > 1 else ""
        return (
            f'Predict "{self.target}", {target}, from {columns:,} column{plural} of {rows:,} rows.'
        )

    def purpose(self) -> str:
        """Return what a model is for, as the end of a sentence."""
        return f"predict `{self.target}`"

    def agree_with(self, split_by: str) -> None:
        """Raise a ValueError if the rows must not be split like this."""
        if split_by == "none":
            raise ValueError(
                '[split] by is "none", but what predicts a target has to be tested on rows that it '
                "has not seen; allowed: auto, random, group, date"
            )

    def rival(self) -> str:
        """Return what a model has to be clearly better than."""
        return f'the baseline "{self.baseline}"'
