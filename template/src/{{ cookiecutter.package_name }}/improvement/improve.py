"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from ..collection.collect import read_raw
from ..collection.keys import row_keys
from ..errors import UserError
from ..evaluation.bootstrap import evaluate_metrics, resamples
from ..files import read_frame, read_json, write_json
from ..modeling import store
from ..modeling.predictor import load_predictor
from ..pipeline import ORDER, run_one
from ..preparation.prepare import Learnt
from ..preparation.schema import ConversionError, read_schema
from ..preparation.split import GROUP, KEY
from ..problem import METRICS, arrays
from ..problem.columns import column_of
from ..problem.project import Project
from ..report import facts, notice, number, write_card
from ..steps import Outcome
from .labelled import add_labelled_rows
from .truth import take_truth


@dataclass(frozen=True)
class Decision:
    """What became of the challenger.

    Attributes
    ----------
    reason
        Why it was promoted or not, in a sentence.
    champion_value, challenger_value
        The metric of each on the same rows, which neither was trained on; None where they were
        not compared.
    confidence
        The share of resamples of these rows in which the challenger is better by the margin.
    """

    champion: str
    challenger: str
    promoted: bool
    reason: str
    rows: int = 0
    champion_value: float | None = None
    challenger_value: float | None = None
    confidence: float | None = None


def improve(
    project: Project, tell: Callable[[str, Outcome], None], *, force: bool = False
) -> Decision:
    """Go once around the loop.

    Parameters
    ----------
    tell
        Is called after each step with its name and outcome.
    force
        Train a challenger even if nothing has changed.

    Raises
    ------
    UserError
        If there is no champion, or a step cannot be done.
    """
    champion = store.champion_folder(project.models).name
    take_truth(project)
    add_labelled_rows(project)
    learnt = _learnt_by(project, champion)
    for name in ORDER:
        # A test set that the champion has learnt from would flatter it, so it is taken anew.
        seen = name == "prepare" and _test_rows_seen(project, learnt)
        tell(name, run_one(project, name, force=force or seen, learnt=learnt))
    challenger = store.newest_version(project.models)
    if challenger == champion:
        decision = Decision(
            champion, challenger, promoted=False, reason="there is nothing new to learn from"
        )
    else:
        decision = _compare(project, champion, challenger)
    if decision.promoted:
        store.promote(project, challenger)
    write_json(project.reports / "improve.json", asdict(decision))
    _write_card(project, decision)
    return decision


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


def _compare(project: Project, champion: str, challenger: str) -> Decision:
    """Judge both on the test rows, which neither was trained on."""
    definition = project.definition
    settings, metric = definition.improvement, METRICS[definition.problem.metric]
    gate = read_json(project.models / challenger / store.METRICS)["gate"]
    if not gate["passed"]:
        reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
        return Decision(champion, challenger, promoted=False, reason=reason)
    test = read_frame(project.prepared / "test.parquet")
    target = column_of(test, definition.problem.target)
    raw = read_raw(project).loc[test.index]
    try:  # as it would if it were asked today
        old_answers = load_predictor(project.models / champion).predict(raw)
    except (UserError, ConversionError) as error:
        reason = f"the champion cannot answer rows of today: {error}"
        return Decision(champion, challenger, promoted=True, reason=reason)
    predictor = load_predictor(project.models / challenger)
    both_answers = (old_answers, predictor.answer(test))
    parts = [arrays(target, predictor.measurable(answers, test)) for answers in both_answers]

    def values(rows: np.ndarray) -> list[float]:
        """Return the metric of both on some rows; NaN where it is not defined."""
        drawn = (tuple(part[rows] for part in both) for both in parts)
        return [evaluate_metrics({"": metric}, both).get("", np.nan) for both in drawn]

    old, new = values(np.arange(len(test)))
    if not np.isfinite(new):
        reason = f"these rows do not tell {metric.title}, and the challenger has learnt newer ones"
        return Decision(champion, challenger, promoted=True, reason=reason, rows=len(test))
    draws = resamples(len(test), definition.search.seed, group=test.get(GROUP))
    gains = np.array([metric.gain(now, then) for then, now in map(values, draws)])
    confidence = float(np.mean(gains[np.isfinite(gains)] > settings.margin))
    better = metric.gain(new, old) > settings.margin and confidence >= settings.confidence
    reason = (
        f"{metric.title} of the challenger is {number(new)}, of the champion {number(old)}, on the "
        f"same {len(test):,} rows; better by more than {number(settings.margin)} in "
        f"{confidence:.0%} of resamples, {settings.confidence:.0%} are needed"
    )
    return Decision(champion, challenger, better, reason, len(test), old, new, confidence)


def _write_card(project: Project, decision: Decision) -> None:
    verdict = "promoted" if decision.promoted else "not promoted"
    write_card(
        project.reports,
        "improve",
        f"challenger {decision.challenger} {verdict}",
        notice(f"{decision.reason}.", "good" if decision.promoted else "warn"),
        facts({"champion": store.champion(project.models), "predecessor": decision.champion}),
    )
