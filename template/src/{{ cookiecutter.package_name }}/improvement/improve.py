"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..collection.collect import read_raw
from ..deployment.prediction_log import open_log, read_predictions
from ..errors import UserError
from ..files import read_frame, read_json
from ..modeling import store
from ..modeling.history import add_line, new_line, read_history
from ..pipeline import ORDER, run_one
from ..preparation.schema import ConversionError, read_schema
from ..preparation.sets import KEY, Learnt
from ..problem import METRICS
from ..problem.keys import row_keys
from ..problem.project import Project
from ..steps import Outcome
from .asked import ask_again, ask_both
from .compare import Comparison, compare
from .concept import truth_of
from .labelled import add_labelled_rows
from .monitor import monitor
from .policy import reasons_to_retrain
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


def improve(project: Project, tell: Tell, *, force: bool = False) -> Decision:
    """Go once around the loop.

    It may be killed at any moment: the champion serves on, and the next call does what is left.

    Parameters
    ----------
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
    with store.locked(project.models):
        champion = store.champion_folder(project.models).name
        decision = _decide(project, champion, tell, force=force)
        if decision.event == "promoted" and store.champion(project.models) != champion:
            reason = f"the champion is no longer {champion}; the next round compares with the new"
            decision = replace(decision, event="waited", reason=reason)
        _act(project, decision)
        store.prune(project, project.definition.improvement.keep_versions)
    return decision


def _decide(project: Project, champion: str, tell: Tell, *, force: bool) -> Decision:
    found = monitor(project)
    add_labelled_rows(project)
    worse = _worse_than_predecessor(project, champion)
    if worse:
        return worse
    challenger = store.challenger(project.models)
    if challenger and not force:
        return _judge_shadow(project, champion, challenger)
    reasons, against = reasons_to_retrain(project, found)
    if not (force or reasons or _undecided(project, champion)):
        why = "; ".join(against) or "[improvement] retrain names none"
        return Decision("waited", champion, None, f"there is no reason to retrain: {why}")
    _make_challenger(project, champion, tell, force=force)
    challenger = _undecided(project, champion)
    if challenger is None:
        return Decision("waited", champion, None, "there is nothing new to learn from")
    return _judge(project, champion, challenger)


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


def _make_challenger(project: Project, champion: str, tell: Tell, *, force: bool) -> None:
    learnt = _learnt_by(project, champion)
    for name in ORDER:
        # A test set that the champion has learnt from would flatter it, so it is taken anew.
        seen = name == "prepare" and _test_rows_seen(project, learnt)
        tell(name, run_one(project, name, force=force or seen, learnt=learnt))


def _learnt_by(project: Project, version: str) -> Learnt:
    """Return what tells which raw rows a version was trained on.

    Columns that came to the data since then do not count, or no row would look the same.
    """
    schema = read_schema(project.models / version / store.SCHEMA)
    columns = [*(column.name for column in schema.inputs), *schema.ignored]
    keys = store.training_keys(project.models, version)
    return lambda raw: row_keys(raw[raw.columns.intersection(columns)]).isin(keys).to_numpy()


def _test_rows_seen(project: Project, learnt: Learnt) -> bool:
    path = project.prepared / "test.parquet"
    if not path.is_file():
        return False
    raw = read_raw(project)
    tested = raw.index.intersection(read_frame(path, [KEY]).index)
    return bool(learnt(raw.loc[tested]).any())


def _judge(project: Project, champion: str, challenger: str) -> Decision:
    """Judge both on the test rows, the newest that neither was trained on."""
    definition = project.definition
    gate = read_json(project.models / challenger / store.METRICS)["gate"]
    if not gate["passed"]:
        reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
        return Decision("kept", champion, challenger, reason)
    try:
        both = ask_both(project, champion, challenger)
    except (UserError, ConversionError) as error:
        reason = f"the champion cannot answer what is asked today: {error}"
        return Decision("promoted", champion, challenger, reason)
    compared = compare(both.target, both.answers, both.rival_answers, definition, both.group)
    if not np.isfinite(compared.rival_value):
        title = METRICS[definition.problem.metric].title
        reason = f"these rows do not tell {title}, and the challenger has learnt newer ones"
        return Decision("promoted", champion, challenger, reason)
    return _better_or_not(
        project, champion, challenger, compared, shadow=bool(definition.improvement.shadow_rows)
    )


def _judge_shadow(project: Project, champion: str, challenger: str) -> Decision:
    """Judge both on what they answered side by side, once enough truth has come back."""
    settings = project.definition.improvement
    if not settings.shadow_rows:  # was more when the challenger began
        return _judge(project, champion, challenger)
    logged = read_side_by_side(project, champion, challenger)
    if len(logged.facts) < settings.shadow_rows:
        reason = (
            f"{challenger} answers in the shadow of the champion; the truth of "
            f"{len(logged.facts):,} of its answers is known, {settings.shadow_rows:,} are needed"
        )
        return Decision("waited", champion, challenger, reason)
    compared = compare(truth_of(logged), logged.answers, logged.shadow, project.definition)
    return _better_or_not(project, champion, challenger, compared, shadow=False)


def _better_or_not(
    project: Project, champion: str, challenger: str, compared: Comparison, *, shadow: bool
) -> Decision:
    settings = project.definition.improvement
    words = compared.words(project.definition, "champion", "challenger")
    reason = f"{words}, {settings.confidence:.0%} are needed"
    better = compared.gain > settings.margin and compared.confidence >= settings.confidence
    if not better:
        return Decision("kept", champion, challenger, reason, compared)
    if shadow:
        reason += f"; it answers in the shadow until {settings.shadow_rows:,} truths are known"
    return Decision("shadow" if shadow else "promoted", champion, challenger, reason, compared)


def _worse_than_predecessor(project: Project, champion: str) -> Decision | None:
    """Roll back if the predecessor answers the champion's live rows better, beyond doubt."""
    settings, predecessor = project.definition.improvement, store.predecessor(project)
    logged = read_predictions(open_log(project), champion, settings.window, with_truth=True)
    if predecessor is None or len(logged.facts) < settings.minimum_rows:
        return None
    try:
        rival = ask_again(project, predecessor, logged)
    except (UserError, ConversionError):  # then there is nothing to go back to
        return None
    if len(rival) < settings.minimum_rows:
        return None
    truth, answers = (part.loc[rival.index] for part in (truth_of(logged), logged.answers))
    compared = compare(truth, answers, rival, project.definition)
    doubt = 1 - settings.false_alarm_rate
    if compared.gain <= settings.margin or compared.confidence < doubt:
        return None
    words = compared.words(project.definition, "champion", "predecessor")
    return Decision("rolled back", champion, predecessor, f"{words} of live rows", compared)
