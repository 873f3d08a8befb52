"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np

from ..collection.collect import read_raw
from ..deployment.prediction_log import count_feedback, log_engine, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.history import add_line, new_line, read_history
from ..preparation.schema import read_schema
from ..problem.columns import ConversionError
from ..preparation.schema import KEY, TrainedOn
from ..problem.keys import row_keys
from ..problem.project import Project
from ..problem.metric import Metric, Metrics, all_metrics
from ..modeling.predictor import LoadPredictor
from ..steps import Outcome, Step, run_step
from . import row_replay
from .compare import Comparison, compare
from .concept import true_labels
from .labelled import add_labelled_rows
from .monitor import Watch, monitor
from .policy import Policy, Situation
from .side_by_side import read_side_by_side

Tell = Callable[[str, Outcome], None]


@dataclass(frozen=True)
class Decision:
    """What was decided.

    Attributes
    ----------
    event
        "promoted": the other serves now. "kept": it does not. "shadow": it answers beside the
        champion first. "waited": there was nothing to decide. "rolled back": the predecessor was
        better.
    champion, other
        The version that served before, and the one that it was compared with.
    reason
        Why, in a sentence.
    compared
        What was measured, if it was.
    """

    event: str
    champion: str
    other: str | None
    reason: str
    compared: Comparison | None = None

    def verdict(self) -> str:
        """Return what becomes of the champion, in a few words."""
        return {"promoted": "promoted", "rolled back": "rolled back"}.get(
            self.event, "the champion stays"
        )

    def figures(self) -> dict[str, float]:
        """Return what was measured, for the history."""
        return vars(self.compared) if self.compared else {}


@dataclass(frozen=True)
class Round:
    """What every part of a round needs."""

    project: Project
    steps: Sequence[Step]
    metric: Metric
    metrics: Metrics
    load_predictor: LoadPredictor
    policy: Policy


def improve(
    project: Project,
    steps: Sequence[Step],
    metrics: Metrics,
    load_predictor: LoadPredictor,
    policy: Policy,
    tell: Tell,
    *,
    force: bool = False,
) -> Decision:
    """Go once around the loop.

    It may be killed at any moment: the champion serves on, and the next call does what is left.

    Parameters
    ----------
    steps
        Those of the pipeline, in order.
    metrics
        Those of the project, beside the standard ones.
    load_predictor
        Loads the predictor of a version.
    policy
        When to retrain, promote and roll back.
    tell
        Is called after each step with its name and outcome.
    force
        Train a challenger whatever the policy says, even if nothing has changed or another
        answers in the shadow.

    Raises
    ------
    UserError
        If there is no champion, a step cannot be done, or another process is at it.
    """
    problem = project.definition.problem
    metric = all_metrics(problem.type, metrics)[problem.metric]
    this = Round(project, steps, metric, metrics, load_predictor, policy)
    with store.locked(project.models):
        champion = store.champion_folder(project.models).name
        decision = _decide(this, champion, tell, force=force)
        if decision.event == "promoted" and store.champion(project.models) != champion:
            reason = f"the champion is no longer {champion}; the next round compares with the new"
            decision = replace(decision, event="waited", reason=reason)
        _act(project, decision)
        store.prune(project, project.definition.improvement.keep_versions)
    return decision


def _decide(this: Round, champion: str, tell: Tell, *, force: bool) -> Decision:
    project = this.project
    found = monitor(project, this.metrics, this.load_predictor, this.policy)
    add_labelled_rows(project)
    worse = _worse_than_predecessor(this, champion)
    if worse:
        return worse
    challenger = store.challenger(project.models)
    if challenger and not force:
        return _judge_shadow(this, champion, challenger)
    situation = _situation(project, found)
    reasons, against = this.policy.reasons_to_retrain(situation, project.definition.improvement)
    if not (force or reasons or _undecided(project, champion)):
        why = "; ".join(against) or "[improvement] retrain names none"
        return Decision("waited", champion, None, f"there is no reason to retrain: {why}")
    _make_challenger(this, champion, tell, force=force)
    challenger = _undecided(project, champion)
    if challenger is None:
        return Decision("waited", champion, None, "there is nothing new to learn from")
    return _judge(this, champion, challenger)


def _act(project: Project, decision: Decision) -> None:
    models, other = project.models, decision.other
    if decision.event == "promoted" and other:
        store.promote(project, other, decision.reason, **decision.figures())
        store.set_challenger(models, None)
    elif decision.event == "rolled back":
        store.rollback(project, decision.reason, **decision.figures())
    else:
        _note(project, decision)
        if decision.event == "shadow":
            store.set_challenger(models, other)
        elif decision.event == "kept":
            store.set_challenger(models, None)


def _note(project: Project, decision: Decision) -> None:
    """Add a decision that changes no champion to the history; not the same one again and again."""
    models = project.models
    line = new_line(
        decision.event, decision.champion, decision.other, decision.reason, **decision.figures()
    )
    last = (read_history(models) or [{}])[-1]
    if any(last.get(key) != line[key] for key in ("event", "champion", "other", "reason")):
        add_line(models, line)


def _undecided(project: Project, champion: str) -> str | None:
    """Return the newest version if nothing was decided about it yet."""
    newest = store.newest_version(project.models)
    decided = {champion}
    for line in read_history(project.models):
        if line["event"] != "waited":
            decided |= {line["champion"], line["other"]}
    return None if newest in decided else newest


def _make_challenger(this: Round, champion: str, tell: Tell, *, force: bool) -> None:
    learnt = _learnt_by(this.project, champion)
    for step in this.steps:
        # A test set that the champion has learnt from would flatter it, so it is taken anew.
        seen = "trained_on" in step.takes and _test_rows_seen(this.project, learnt)
        tell(step.name, run_step(this.project, step, force=force or seen, trained_on=learnt))


def _learnt_by(project: Project, version: str) -> TrainedOn:
    """Return what tells which raw rows a version was trained on.

    Columns that came to the data since then do not count, or no row would look the same.
    """
    schema = read_schema(project.models / version / store.SCHEMA)
    columns = [*(column.name for column in schema.inputs), *schema.ignored]
    keys = store.training_keys(project.models, version)
    return lambda raw: row_keys(raw[raw.columns.intersection(columns)]).isin(keys).to_numpy()


def _test_rows_seen(project: Project, learnt: TrainedOn) -> bool:
    path = project.prepared / "test.parquet"
    if not path.is_file():
        return False
    raw = read_raw(project)
    tested = raw.index.intersection(read_frame(path, [KEY]).index)
    return bool(learnt(raw.loc[tested]).any())


def _judge(this: Round, champion: str, challenger: str) -> Decision:
    """Judge both on the test rows, the newest that neither was trained on."""
    project = this.project
    definition = project.definition
    gate = read_json(project.models / challenger / store.METRICS)["gate"]
    if not gate["passed"]:
        reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
        return Decision("kept", champion, challenger, reason)
    try:
        both = _replay(project).predict_test_rows(project, champion, challenger, this.load_predictor)
    except (UserError, ConversionError) as error:
        reason = f"the champion cannot answer what is asked today: {error}"
        return Decision("promoted", champion, challenger, reason)
    compared = compare(
        both.target, both.predictions, both.rival_predictions, this.metric, definition, both.group
    )
    if not np.isfinite(compared.rival_value):
        reason = f"these rows do not tell {this.metric.title}, and the challenger has learnt newer ones"
        return Decision("promoted", champion, challenger, reason)
    return _better_or_not(
        this, champion, challenger, compared, shadow=bool(definition.improvement.shadow_rows)
    )


def _judge_shadow(this: Round, champion: str, challenger: str) -> Decision:
    """Judge both on what they answered side by side, once enough truth has come back."""
    project = this.project
    settings = project.definition.improvement
    if not settings.shadow_rows:  # was more when the challenger began
        return _judge(this, champion, challenger)
    logged = read_side_by_side(project, champion, challenger)
    if len(logged.metadata) < settings.shadow_rows:
        reason = (
            f"{challenger} answers in the shadow of the champion; the truth of "
            f"{len(logged.metadata):,} of its answers is known, {settings.shadow_rows:,} are needed"
        )
        return Decision("waited", champion, challenger, reason)
    truth = true_labels(logged, project.definition.problem.target_kind)
    compared = compare(truth, logged.predictions, logged.shadow, this.metric, project.definition)
    return _better_or_not(this, champion, challenger, compared, shadow=False)


def _better_or_not(
    this: Round, champion: str, challenger: str, compared: Comparison, *, shadow: bool
) -> Decision:
    definition = this.project.definition
    settings = definition.improvement
    words = compared.words(this.metric, definition, "champion", "challenger")
    reason = f"{words}, {settings.confidence:.0%} are needed"
    if not this.policy.promotes(compared, settings):
        return Decision("kept", champion, challenger, reason, compared)
    if shadow:
        reason += f"; it answers in the shadow until {settings.shadow_rows:,} truths are known"
    return Decision("shadow" if shadow else "promoted", champion, challenger, reason, compared)


def _worse_than_predecessor(this: Round, champion: str) -> Decision | None:
    """Roll back if the predecessor answers the champion's live rows better, beyond doubt."""
    project, definition = this.project, this.project.definition
    settings, predecessor = project.definition.improvement, store.predecessor(project)
    logged = read_predictions(log_engine(project), champion, settings.window, labelled=True)
    if predecessor is None or len(logged.metadata) < settings.minimum_rows:
        return None
    try:
        rival = _replay(project).predict_logged_rows(project, predecessor, logged, this.load_predictor)
    except (UserError, ConversionError):  # then there is nothing to go back to
        return None
    if len(rival) < settings.minimum_rows:
        return None
    truth, predictions = (
        part.loc[rival.index]
        for part in (true_labels(logged, definition.problem.target_kind), logged.predictions)
    )
    compared = compare(truth, predictions, rival, this.metric, definition)
    if not this.policy.rolls_back(compared, settings):
        return None
    words = compared.words(this.metric, definition, "champion", "predecessor")
    return Decision("rolled back", champion, predecessor, f"{words} of live rows", compared)


def _replay(project: Project) -> Any:
    if not project.definition.problem.of_series:
        return row_replay
    from . import forecast_replay  # needs statsmodels

    return forecast_replay


def _situation(project: Project, found: Watch) -> Situation:
    run = read_json(project.models / store.newest_version(project.models) / store.RUN)
    trained = datetime.fromisoformat(run["trained"])
    engine = log_engine(project)
    try:
        labels = count_feedback(engine, trained.replace(tzinfo=None))["known"]
    finally:
        engine.dispose()
    return Situation(
        drifted=found.drifted,
        decayed=found.decayed,
        trained=trained,
        new_labels=labels,
        candidates_changed=run["definition"]["models"]["candidates"]
        != project.definition.models.candidates,
    )
