"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from ..collection.collect import read_raw
from ..deployment.prediction_log import count_labels, open_log, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.predictor import LoadPredictor
from ..preparation.schema import KEY, TrainedOn, read_schema
from ..problem.columns import ConversionError
from ..problem.keys import numbered, row_keys
from ..problem.metric import Metrics, all_metrics
from ..problem.project import Project
from ..report import counted
from ..steps import Outcome, Step, lock, run_step
from .comparison import Comparison, PairedPredictions, compare, read_shadow, replay_of
from .feedback import add_labelled_rows
from .monitor import MonitorResult, monitor
from .performance import true_labels
from .policy import Policy, Reason, Situation


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

    Examples
    --------
    >>> ImproveResult("kept", "20260131-120000", "20260201-120000", "it is worse").verdict()
    'the champion stays'
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
    load_predictor : function of Path
        Returns the predictor of a version, from its folder.
    policy : Policy
        When to retrain, promote and roll back.
    after_step : function of str and Outcome, optional
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

    Examples
    --------
    >>> improve(project, STEPS, METRICS, load_model, POLICY).verdict()  # doctest: +SKIP
    'the champion stays'
    """
    with lock(project.models):
        loop = _Loop(project, metrics, load_predictor, policy)
        result = loop.decide(steps, after_step, force=force)
        _apply(project, result)
        store.prune(project, project.definition.improvement.keep_versions)
    return result


def retrain_reasons(project: Project, monitored: MonitorResult, policy: Policy) -> list[Reason]:
    """Return the reasons to retrain that [improvement] retrain names, and new candidates."""
    definition, models = project.definition, project.models
    run = read_json(models / store.newest_version(models) / store.RUN)
    trained = datetime.fromisoformat(run["trained"])
    with open_log(project) as log:
        labels = count_labels(log, trained.replace(tzinfo=None))
    situation = Situation(monitored.drifted, monitored.decayed, trained, labels)
    known = policy.reasons_to_retrain(situation, definition.improvement)
    named = definition.improvement.retrain
    if unknown := [name for name in named if name not in known]:
        raise UserError(
            f'[improvement] retrain has "{unknown[0]}"; improvement/policy.py knows '
            f"{', '.join(known)}."
        )
    reasons = [known[name] for name in named]
    if run["definition"]["models"]["candidates"] != definition.models.candidates:
        reasons.append(Reason(holds=True, text="[models] candidates has changed"))
    return reasons


class _Loop:
    """One round of the loop."""

    def __init__(
        self, project: Project, metrics: Metrics, load_predictor: LoadPredictor, policy: Policy
    ) -> None:
        self.project, self.metrics = project, metrics
        self.load_predictor, self.policy = load_predictor, policy
        self.champion = store.champion_folder(project.models).name
        self.definition, self.settings = project.definition, project.definition.improvement
        self.problem = self.definition.problem
        self.metric = all_metrics(self.problem.type, metrics)[self.problem.metric]
        self.replay = replay_of(self.definition)

    def decide(
        self, steps: Sequence[Step], after_step: Callable[[str, Outcome], None], *, force: bool
    ) -> ImproveResult:
        """Roll back, compare the challenger in the shadow, or train one and compare that."""
        monitored = monitor(self.project, self.metrics, self.load_predictor, self.policy)
        if self.problem.of_series:  # to forecast again, from what is known by now
            add_labelled_rows(self.project)
        if found := self._compare_with_predecessor():
            return found
        challenger = None if force else store.challenger(self.project.models)
        if challenger and self.settings.shadow_rows:
            return self._compare_in_shadow(challenger)
        if not (force or challenger or self._undecided()):
            reasons = retrain_reasons(self.project, monitored, self.policy)
            if not any(reason.holds for reason in reasons):
                why = "; ".join(reason.text for reason in reasons) or "none is named"
                return self._result("waited", None, f"there is no reason to retrain: {why}")
        self._train(steps, after_step, force=force)  # the test set has to be that of these rows
        if newest := self._undecided():
            challenger = newest
        elif challenger and self._test_rows_seen(self._trained_on(challenger)):
            challenger = None  # they would flatter it
        if challenger is None:
            return self._result("waited", None, "there is nothing new to learn from")
        return self._compare_on_test(challenger)

    def _result(
        self, event: str, other: str | None, reason: str, comparison: Comparison | None = None
    ) -> ImproveResult:
        return ImproveResult(event, self.champion, other, reason, comparison)

    def _undecided(self) -> str | None:
        """Return the newest version if nothing was decided about it yet."""
        newest = store.newest_version(self.project.models)
        decided = {self.champion}
        for line in store.read_history(self.project.models):
            if line["event"] != "waited":
                decided |= {line["champion"], line["other"]}
        return None if newest in decided else newest

    def _train(
        self, steps: Sequence[Step], after_step: Callable[[str, Outcome], None], *, force: bool
    ) -> None:
        """Run the steps; `prepare` is given which rows the champion was trained on."""
        add_labelled_rows(self.project)
        trained_on = self._trained_on(self.champion)
        for step in steps:
            # A test set with rows that the champion was trained on would flatter it.
            seen = "trained_on" in step.takes and self._test_rows_seen(trained_on)
            outcome = run_step(self.project, step, force=force or seen, trained_on=trained_on)
            after_step(step.name, outcome)

    def _trained_on(self, version: str) -> TrainedOn:
        """Return a function that says of raw rows which of them a version was trained on.

        Columns that came to the data since then do not count, or no row would look the same.
        """
        models = self.project.models
        schema = read_schema(models / version / store.SCHEMA)
        columns = [schema.target, *(column.name for column in schema.inputs), *schema.ignored]
        keys = store.training_keys(models, version)

        def trained_on(raw: pd.DataFrame) -> np.ndarray:
            return numbered(row_keys(raw, raw.columns.intersection(columns))).isin(keys).to_numpy()

        return trained_on

    def _test_rows_seen(self, trained_on: TrainedOn) -> bool:
        path = self.project.prepared / "test.parquet"
        if not path.is_file():
            return False
        raw = read_raw(self.project)
        tested = raw.index.intersection(read_frame(path, [KEY]).index)
        return bool(pd.Series(trained_on(raw), raw.index)[tested].any())

    def _compare_with_predecessor(self) -> ImproveResult | None:
        """Roll back if the predecessor predicts the champion's live rows better, beyond doubt."""
        predecessor, settings = store.predecessor(self.project), self.settings
        if predecessor is None:
            return None
        with open_log(self.project) as log:
            logged = read_predictions(log, self.champion, settings.window, labelled=True)
        if len(logged) < settings.minimum_rows:
            return None
        try:
            rival = self.replay.predict_logged_rows(
                self.project, predecessor, logged, self.load_predictor
            )
        except (UserError, ConversionError):  # then there is nothing to go back to
            return None
        if len(rival) < settings.minimum_rows:  # a predecessor may know fewer series
            return None
        target = true_labels(logged, self.problem.target_kind)[rival.index]
        pairs = PairedPredictions(target, logged.predictions.loc[rival.index], rival)
        found = compare(pairs, self.metric, self.definition)
        if not self.policy.rolls_back(found, settings):
            return None
        sentence = found.sentence(self.metric, settings.margin, "champion", "predecessor")
        return self._result("rolled back", predecessor, f"{sentence} of live rows", found)

    def _compare_on_test(self, challenger: str) -> ImproveResult:
        """Compare both on the test rows, the newest that neither was trained on."""
        gate = read_json(self.project.models / challenger / store.METRICS)["gate"]
        if not gate["passed"]:
            reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
            return self._result("kept", challenger, reason)
        try:
            pairs = self.replay.predict_test_rows(
                self.project, self.champion, challenger, self.load_predictor
            )
        except (UserError, ConversionError) as error:
            reason = f"the champion cannot predict the rows of today: {error}"
            return self._result("promoted", challenger, reason)
        found = compare(pairs, self.metric, self.definition)
        if not np.isfinite(found.rival_value):
            reason = (
                f"these rows do not define {self.metric.title}, and the challenger was trained on "
                "newer ones"
            )
            return self._result("promoted", challenger, reason)
        return self._better_or_not(challenger, found, shadow_rows=self.settings.shadow_rows)

    def _compare_in_shadow(self, challenger: str) -> ImproveResult:
        """Compare both on the live rows that both predicted, once enough true labels are known."""
        least = self.settings.shadow_rows
        logged = read_shadow(self.project, self.champion, challenger)
        if len(logged) < least:
            reason = (
                f"{challenger} predicts in the shadow of the champion; {len(logged):,} of its "
                f"predictions have true labels, {least:,} are needed"
            )
            return self._result("waited", challenger, reason)
        target = true_labels(logged, self.problem.target_kind)
        pairs = PairedPredictions(target, logged.predictions, logged.shadow)
        return self._better_or_not(challenger, compare(pairs, self.metric, self.definition))

    def _better_or_not(
        self, challenger: str, found: Comparison, shadow_rows: int = 0
    ) -> ImproveResult:
        """Promote a challenger that is better, or let it predict in the shadow first."""
        settings = self.settings
        sentence = found.sentence(self.metric, settings.margin, "champion", "challenger")
        reason = f"{sentence}, {settings.confidence:.0%} are needed"
        if not self.policy.promotes(found, settings):
            return self._result("kept", challenger, reason, found)
        if not shadow_rows:
            return self._result("promoted", challenger, reason, found)
        labels = f"true labels of {counted(shadow_rows, 'row')}"
        reason += f"; it predicts in the shadow until {labels} are known"
        return self._result("shadow", challenger, reason, found)


def _apply(project: Project, result: ImproveResult) -> None:
    """Change the champion or the challenger, and add what was decided to the history."""
    models, event, reason = project.models, result.event, result.reason
    figures = vars(result.comparison) if result.comparison else {}
    if event == "rolled back":
        store.rollback(project, reason, **figures)
        return
    if event == "promoted" and result.other:
        store.promote(project, result.other, reason, **figures)
    else:
        line = store.new_line(event, result.champion, result.other, reason, **figures)
        last = (store.read_history(models) or [{}])[-1]
        if any(last.get(key) != line[key] for key in ("event", "champion", "other", "reason")):
            store.add_line(models, line)  # not the same one again and again
    if event != "waited":
        store.set_challenger(models, result.other if event == "shadow" else None)
