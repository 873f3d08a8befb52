"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ..collection.collect import read_raw
from ..deployment.prediction_log import count_predictions, open_log, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..preparation.schema import KEY, TrainedOn, read_schema
from ..problem.columns import ConversionError
from ..problem.keys import row_keys
from ..problem.metric import Metric, Metrics, all_metrics
from ..problem.project import Project
from ..problem.settings import Improvement
from ..steps import Outcome, Step, lock, run_step
from .comparison import Comparison, PairedPredictions, compare, read_shadow, replay_of
from .feedback import add_labelled_rows
from .monitor import MonitorResult, monitor
from .performance import true_labels
from .policy import Policy, Situation


@dataclass(frozen=True)
class ImproveResult:
    """What was decided.

    Attributes
    ----------
    event : str
        "promoted": the other serves now. "kept": it does not. "shadow": it predicts in the shadow
        of the champion first. "waited": there was nothing to decide. "rolled back": the
        predecessor was better.
    champion, other : str, str or None
        The version that served before, and the one that it was compared with.
    reason : str
        Why, in a sentence.
    comparison : Comparison or None
        What was measured, if it was.
    """

    event: str
    champion: str
    other: str | None
    reason: str
    comparison: Comparison | None = None

    def verdict(self) -> str:
        """Return what becomes of the champion, in a few words."""
        changed = self.event in {"promoted", "rolled back"}
        return self.event if changed else "the champion stays"

    def figures(self) -> dict[str, float]:
        """Return what was measured, for the history."""
        return vars(self.comparison) if self.comparison else {}


def improve(
    project: Project,
    steps: Sequence[Step],
    metrics: Metrics,
    load_predictor: LoadPredictor,
    policy: Policy,
    after_step: Callable[[str, Outcome], None] = lambda name, outcome: None,
    *,
    force: bool = False,
) -> ImproveResult:
    """Go once around the loop.

    It may be killed at any moment: the champion serves on, and the next call does what is left.

    Parameters
    ----------
    project : Project
        Its folder and definition.
    steps : sequence of Step
        Those of the pipeline, in order.
    metrics : dict of str to Metric
        Those of the project, beside the standard ones.
    load_predictor : callable
        Returns the predictor of a version, from its folder.
    policy : Policy
        When to retrain, promote and roll back.
    after_step : callable, optional
        Is called after each step with its name and outcome.
    force : bool
        Train a challenger whatever the policy says, even if nothing has changed or another
        predicts in the shadow.

    Returns
    -------
    ImproveResult
        What was decided, and why.

    Raises
    ------
    UserError
        If there is no champion, a step cannot be done, or another process is at it.
    """
    with lock(project.models):
        champion = store.champion_folder(project.models).name
        loop = _Loop(project, champion, metrics, load_predictor, policy)
        result = loop.decide(steps, after_step, force=force)
        if result.event == "promoted" and store.champion(project.models) != champion:
            reason = f"the champion is no longer {champion}; the next round compares with the new"
            result = replace(result, event="waited", reason=reason)
        _apply(project, result)
        store.prune(project, project.definition.improvement.keep_versions)
    return result


@dataclass(frozen=True)
class _Loop:
    """One round of the loop."""

    project: Project
    champion: str
    metrics: Metrics
    load_predictor: LoadPredictor
    policy: Policy

    @property
    def settings(self) -> Improvement:
        """The table [improvement]."""
        return self.project.definition.improvement

    @property
    def metric(self) -> Metric:
        """The metric that decides."""
        problem = self.project.definition.problem
        return all_metrics(problem.type, self.metrics)[problem.metric]

    def decide(
        self, steps: Sequence[Step], after_step: Callable[[str, Outcome], None], *, force: bool
    ) -> ImproveResult:
        """Roll back, compare the challenger in the shadow, or train one and compare that."""
        project, policy = self.project, self.policy
        monitored = monitor(project, self.metrics, self.load_predictor, policy)
        add_labelled_rows(project)
        if worse := self._worse_than_predecessor():
            return worse
        challenger = store.challenger(project.models)
        if challenger and not force:
            return self._compare_in_shadow(challenger)
        reasons = policy.reasons_to_retrain(self.situation(monitored), self.settings)
        due = force or any(reason.holds for reason in reasons)
        if not due and self._undecided() is None:
            why = "; ".join(reason.text for reason in reasons) or "[improvement] retrain names none"
            return self._result("waited", None, f"there is no reason to retrain: {why}")
        self._train_challenger(steps, after_step, force=force)
        challenger = self._undecided()
        if challenger is None:
            return self._result("waited", None, "there is nothing new to learn from")
        return self._compare_on_test(challenger)

    def _result(
        self, event: str, other: str | None, reason: str, comparison: Comparison | None = None
    ) -> ImproveResult:
        return ImproveResult(event, self.champion, other, reason, comparison)

    def _worse_than_predecessor(self) -> ImproveResult | None:
        """Roll back if the predecessor predicts the champion's live rows better, beyond doubt."""
        project, least = self.project, self.settings.minimum_rows
        predecessor = store.predecessor(project)
        if predecessor is None:
            return None
        with open_log(project) as log:
            logged = read_predictions(log, self.champion, self.settings.window, labelled=True)
        if len(logged) < least:
            return None
        try:
            rival = replay_of(self.project.definition).predict_logged_rows(
                project, predecessor, logged, self.load_predictor
            )
        except (UserError, ConversionError):  # then there is nothing to go back to
            return None
        if len(rival) < least:
            return None
        target = true_labels(logged, self.project.definition.problem.target_kind)
        own = logged.predictions.loc[rival.index]
        pairs = PairedPredictions(target[rival.index], own, rival, None)
        found = compare(pairs, self.metric, self.project.definition)
        if not self.policy.rolls_back(found, self.settings):
            return None
        sentence = found.sentence(self.metric, self.settings.margin, "champion", "predecessor")
        return self._result("rolled back", predecessor, f"{sentence} of live rows", found)

    def situation(self, monitored: MonitorResult) -> Situation:
        """Return what the policy decides by whether to retrain."""
        models = self.project.models
        run = read_json(models / store.newest_version(models) / store.RUN)
        trained = datetime.fromisoformat(run["trained"])
        with open_log(self.project) as log:
            _, labels = count_predictions(log, since=trained.replace(tzinfo=None))
        before = run["definition"]["models"]["candidates"]
        return Situation(
            drifted=monitored.drifted,
            decayed=monitored.decayed,
            trained=trained,
            new_labels=labels,
            candidates_changed=before != self.project.definition.models.candidates,
        )

    def _undecided(self) -> str | None:
        """Return the newest version if nothing was decided about it yet."""
        newest = store.newest_version(self.project.models)
        decided = {self.champion}
        for line in store.read_history(self.project.models):
            if line["event"] != "waited":
                decided |= {line["champion"], line["other"]}
        return None if newest in decided else newest

    def _train_challenger(
        self, steps: Sequence[Step], after_step: Callable[[str, Outcome], None], *, force: bool
    ) -> None:
        trained_on = self._rows_of_champion()
        for step in steps:
            # A test set with rows that the champion was trained on would flatter it.
            seen = "trained_on" in step.takes and self._test_rows_seen(trained_on)
            outcome = run_step(self.project, step, force=force or seen, trained_on=trained_on)
            after_step(step.name, outcome)

    def _rows_of_champion(self) -> TrainedOn:
        """Return what tells which raw rows the champion was trained on.

        Columns that came to the data since then do not count, or no row would look the same.
        """
        models = self.project.models
        schema = read_schema(models / self.champion / store.SCHEMA)
        columns = [*(column.name for column in schema.inputs), *schema.ignored]
        keys = store.training_keys(models, self.champion)
        return lambda raw: row_keys(raw[raw.columns.intersection(columns)]).isin(keys).to_numpy()

    def _test_rows_seen(self, trained_on: TrainedOn) -> bool:
        path = self.project.prepared / "test.parquet"
        if not path.is_file():
            return False
        raw = read_raw(self.project)
        tested = raw.index.intersection(read_frame(path, [KEY]).index)
        return bool(trained_on(raw.loc[tested]).any())

    def _compare_on_test(self, challenger: str) -> ImproveResult:
        """Compare both on the test rows, the newest that neither was trained on."""
        project = self.project
        gate = read_json(project.models / challenger / store.METRICS)["gate"]
        if not gate["passed"]:
            reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
            return self._result("kept", challenger, reason)
        try:
            pairs = replay_of(self.project.definition).predict_test_rows(
                project, self.champion, challenger, self.load_predictor
            )
        except (UserError, ConversionError) as error:
            reason = f"the champion cannot predict the rows of today: {error}"
            return self._result("promoted", challenger, reason)
        found = compare(pairs, self.metric, self.project.definition)
        if not np.isfinite(found.rival_value):
            reason = (
                f"these rows do not define {self.metric.title}, and the challenger was trained on "
                "newer ones"
            )
            return self._result("promoted", challenger, reason)
        return self._better_or_not(challenger, found, shadow=bool(self.settings.shadow_rows))

    def _compare_in_shadow(self, challenger: str) -> ImproveResult:
        """Compare both on the live rows that both predicted, once enough true labels are known."""
        least = self.settings.shadow_rows
        if not least:  # was more when the challenger began
            return self._compare_on_test(challenger)
        logged = read_shadow(self.project, self.champion, challenger)
        if len(logged) < least:
            reason = (
                f"{challenger} answers in the shadow of the champion; the truth of "
                f"{len(logged):,} of its answers is known, {least:,} are needed"
            )
            return self._result("waited", challenger, reason)
        target = true_labels(logged, self.project.definition.problem.target_kind)
        pairs = PairedPredictions(target, logged.predictions, logged.shadow, None)
        found = compare(pairs, self.metric, self.project.definition)
        return self._better_or_not(challenger, found, shadow=False)

    def _better_or_not(self, challenger: str, found: Comparison, *, shadow: bool) -> ImproveResult:
        settings = self.settings
        sentence = found.sentence(self.metric, settings.margin, "champion", "challenger")
        reason = f"{sentence}, {settings.confidence:.0%} are needed"
        if not self.policy.promotes(found, settings):
            return self._result("kept", challenger, reason, found)
        if not shadow:
            return self._result("promoted", challenger, reason, found)
        reason += f"; it answers in the shadow until {settings.shadow_rows:,} truths are known"
        return self._result("shadow", challenger, reason, found)


def _apply(project: Project, result: ImproveResult) -> None:
    models, other = project.models, result.other
    if result.event == "promoted" and other:
        store.promote(project, other, result.reason, **result.figures())
        store.set_challenger(models, None)
    elif result.event == "rolled back":
        store.rollback(project, result.reason, **result.figures())
    else:
        _note(project, result)
        if result.event == "shadow":
            store.set_challenger(models, other)
        elif result.event == "kept":
            store.set_challenger(models, None)


def _note(project: Project, result: ImproveResult) -> None:
    """Add a result that changes no champion to the history; not the same one again and again."""
    decided = (result.event, result.champion, result.other, result.reason)
    line = store.new_line(*decided, **result.figures())
    last = (store.read_history(project.models) or [{}])[-1]
    if any(last.get(key) != line[key] for key in ("event", "champion", "other", "reason")):
        store.add_line(project.models, line)
