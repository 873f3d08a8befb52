"""The test on rows: the model predicts those that were kept back."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.inspection import permutation_importance

from ..files import read_frame
from ..modeling.parallel import few_threads
from ..modeling.predictor import RowPredictor
from ..preparation.schema import GROUP, KEY, drawn_together
from ..problem.columns import column_of
from ..problem.definition import Definition
from ..problem.metric import Metrics, evaluate_metrics
from ..problem.project import Project
from ..variants import of_type
from .bootstrap import Measured, measure
from .gate import Check, enough
from .reasons import reasons
from .result import UNSEEN, TestResult, check_defined, costs_of

LEAST_ROWS, LEAST_OF_CLASS, LEAST_GROUPS = 20, 5, 5
IMPORTANCE_ROWS = 2000  # at most
IMPORTANCE_PREDICTIONS = 250  # in all, so that 500 features do not take an hour
SLICE_ROWS = 30  # at least: below, an interval says no more than that nothing is known
SLICE_RESAMPLES = 200  # of each slice: there are many
MOST_VALUES, MOST_COLUMNS = 10, 8  # of categories that are sliced by if none are named
QUARTERS = ["lowest quarter", "second quarter", "third quarter", "highest quarter"]


def test_model(
    project: Project, predictor: RowPredictor, run: dict[str, Any], metrics: Metrics
) -> TestResult:
    """Predict the test rows with the newest model, and measure how good that is."""
    test = read_frame(project.prepared / "test.parquet")
    names = [column.name for column in predictor.schema.features]
    train = read_frame(project.prepared / "train.parquet", without=names)
    seen = bool(test[KEY].isin(train[KEY]).all())
    problem = of_type("evaluation", project.definition.problem.type)
    return problem.Test(test, predictor, project.definition, metrics, run, seen=seen).result()


class RowTest(ABC):
    """What is measured of test rows; a subclass for each type of problem says what differs.

    What stands here holds where there is a target.
    """

    loss = "{metric} lost when a feature is shuffled"
    tested_on_seen = UNSEEN  # what the rows are in words if the model was fitted to them as well

    def __init__(
        self,
        rows: pd.DataFrame,
        predictor: RowPredictor,
        definition: Definition,
        metrics: Metrics,
        run: dict[str, Any],
        *,
        seen: bool = False,
    ) -> None:
        self.rows, self.predictor, self.definition = rows, predictor, definition
        self.metrics, self.run, self.seen = metrics, run, seen
        self.metric = metrics[definition.problem.metric]
        self.seed = definition.search.seed
        self.group = rows.get(GROUP)
        self.resampled = drawn_together(rows)
        self.target = column_of(rows, predictor.schema.target)
        self.features = rows[[column.name for column in predictor.schema.features]]

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """The predictions of the rows, with the columns that metrics need."""
        return self.predictor.add_metric_columns(self.predict(), self.features)

    def predict(self) -> pd.DataFrame:
        """Predict the rows."""
        return self.predictor.predict_features(self.features)

    def baselines(self) -> dict[str, dict[str, float]]:
        """Return the metrics of what was stored in training: one prediction for all rows."""
        index, target = self.target.index, self.target
        return {
            name: evaluate_metrics(self.metrics, target, pd.DataFrame(constant, index=index))
            for name, constant in self.run["baselines"].items()
        }

    def checks(self, measured: Measured) -> list[Check]:
        """Check that the rows can carry an interval: one of few rows looks surer than it is."""
        counts = {"test rows": (len(self.target), LEAST_ROWS)}
        classes = self.target.value_counts()
        if self.definition.problem.target_kind == "category" and len(classes) == 2:
            counts[f'of class "{classes.index[1]}"'] = (int(classes.iloc[1]), LEAST_OF_CLASS)
        if self.group is not None:
            counts["groups"] = (self.group.nunique(), LEAST_GROUPS)
        return [enough(counts)]

    def shuffled_score(self, sample: pd.DataFrame) -> Callable[[pd.DataFrame], float]:
        """Return the function that scores the rows of `sample` with shuffled features."""
        target, sign = self.target[sample.index], 1 if self.metric.higher_is_better else -1
        return lambda rows: sign * self.metric(target, self.predictor.predict_features(rows))

    @abstractmethod
    def outcome(self) -> dict[str, object]:
        """Return key figures in words."""

    @abstractmethod
    def plots(self) -> list[str]:
        """Return the plots for the report."""

    def tables(self) -> list[str]:
        """Return further sections of the report: the plots have said it all."""
        return []

    def result(self) -> TestResult:
        """Return all that is measured."""
        schema, target, predictions = self.predictor.schema, self.target, self.predictions
        measured = measure(target, predictions, self.metrics, self.seed, group=self.resampled)
        measured |= {name: x for name, x in self.run["measured"].items() if name not in measured}
        check_defined(measured, len(target), self.definition)
        example = pd.DataFrame([{column.name: column.example for column in schema.inputs}])
        return TestResult(
            target=target,
            predictions=predictions,
            features=self.features,
            schema=schema,
            definition=self.definition,
            metric=self.metric,
            costs=costs_of(self.run, lambda: self.predictor.predict(example), times=4),
            rows=len(target),
            measured=measured,
            baselines=self.baselines(),
            checks=self.checks(measured),
            outcome=self.outcome(),
            slices=self._slices(),
            importance=self._importance(),
            loss=self.loss.format(metric=self.metric.title),
            plots=self.plots(),
            tables=[
                *self.tables(),
                *reasons(self.predictor, self.features, target, predictions),
            ],
            tested_on=self.tested_on_seen if self.seen else UNSEEN,
        )

    def _importance(self) -> list[dict[str, Any]]:
        """Return what is lost when each feature is shuffled (Breiman, 2001)."""
        sample = self.features.sample(min(len(self.rows), IMPORTANCE_ROWS), random_state=self.seed)
        score = self.shuffled_score(sample)
        with few_threads(len(sample)):
            result = permutation_importance(
                self.predictor.pipeline,
                sample,
                self.target[sample.index],
                scoring=lambda _, shuffled, __: score(shuffled),
                n_repeats=int(np.clip(IMPORTANCE_PREDICTIONS // sample.shape[1], 1, 5)),
                random_state=self.seed,
            )
        losses = {"loss": result.importances_mean, "deviation": result.importances_std}
        found = pd.DataFrame({"feature": sample.columns, **losses})
        return found.sort_values("loss", ascending=False).to_dict("records")

    def _slices(self) -> list[dict[str, Any]]:
        """Return the metric for each value of the columns in [evaluation] slices.

        Numbers are cut at their quartiles. Without such columns, the categories with few values
        are taken. Slices with few rows, or where the metric is not defined, are left out.
        """
        few = [
            column.name
            for column in self.predictor.schema.features
            if column.kind == "category" and 2 <= len(column.categories) <= MOST_VALUES
        ]
        found = []
        for column in self.definition.evaluation.slices or few[:MOST_COLUMNS]:
            values = self.rows[column]
            if pd.api.types.is_numeric_dtype(values):
                values = pd.qcut(values.rank(method="first"), 4, labels=QUARTERS).astype("str")
            for label, part in self.rows.groupby(values.fillna("missing").astype("str")):
                if len(part) < SLICE_ROWS:
                    continue
                measured = measure(
                    self.target[part.index],
                    self.predictions.loc[part.index],
                    {"": self.metric},
                    self.seed,
                    most=SLICE_RESAMPLES,
                    group=drawn_together(part),
                )
                for numbers in measured.values():
                    place = {"column": column, "slice": label, "rows": len(part)}
                    found.append(place | numbers)
        return found
