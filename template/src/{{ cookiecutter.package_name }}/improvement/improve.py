"""Collect, retrain, compare champion and challenger, and promote only what is better."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from ..collection.collect import LABELLED
from ..deployment.prediction_log import open_log, read_predictions
from ..errors import UserError
from ..evaluation.bootstrap import resamples
from ..files import read_json, replacing, write_json
from ..modeling import store
from ..modeling.predictor import load_predictor
from ..pipeline import ORDER, run_one
from ..preparation.schema import read_schema
from ..preparation.split import GROUP, KEY
from ..problem import METRICS, arrays
from ..problem.project import Project
from ..report import facts, notice, number, write_card
from ..steps import Outcome


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
    add_labelled_rows(project)
    known = store.training_keys(project.models, champion)
    for name in ORDER:
        # A test set that the champion has learnt from would flatter it, so it is taken anew.
        seen = name == "prepare" and _test_rows_seen(project, known)
        tell(name, run_one(project, name, force=force or seen, known=known))
    challenger = store.newest_version(project.models)
    if challenger == champion:
        decision = Decision(
            champion, challenger, promoted=False, reason="nothing is new: data, settings and code"
        )
    else:
        decision = _compare(project, champion, challenger)
    if decision.promoted:
        store.promote(project.models, challenger)
    write_json(project.reports / "improve.json", asdict(decision))
    _write_card(project, decision)
    return decision


def add_labelled_rows(project: Project) -> int:
    """Write the predictions whose truth has come back to data/raw/labelled.parquet.

    They look like collected rows, so that all later steps treat them alike; the collected rows
    themselves are not touched.

    Returns
    -------
    int
        How many there are.
    """
    logged = read_predictions(open_log(project))
    labelled = logged.facts["actual"].notna()
    if not labelled.any():
        return 0
    facts_, definition = logged.facts[labelled], project.definition
    rows = logged.inputs[labelled.to_numpy()].copy()
    rows[definition.problem.target] = facts_["actual"]
    date, group = definition.columns.date, definition.columns.group
    if date and date not in rows:
        rows[date] = facts_["at"].dt.strftime("%Y-%m-%dT%H:%M:%S")
    if group and group not in rows:
        rows[group] = facts_.index  # nothing is known about who it was, so a group by itself
    for name in rows:
        if rows[name].dtype == object:  # a parquet column has one type
            rows[name] = rows[name].map(str, na_action="ignore")
    with replacing(project.raw / LABELLED) as path:
        rows.to_parquet(path, index=False)
    return len(rows)


def _test_rows_seen(project: Project, known: np.ndarray) -> bool:
    path = project.prepared / "test.parquet"
    return path.is_file() and bool(pd.read_parquet(path, columns=[KEY])[KEY].isin(known).any())


def _compare(project: Project, champion: str, challenger: str) -> Decision:
    """Judge both on the test rows, which neither was trained on."""
    definition = project.definition
    settings, metric = definition.improvement, METRICS[definition.problem.metric]
    gate = read_json(project.models / challenger / store.METRICS)["gate"]
    if not gate["passed"]:
        reason = f"the challenger failed the gate: {'; '.join(gate['reasons'])}"
        return Decision(champion, challenger, promoted=False, reason=reason)
    test = pd.read_parquet(project.prepared / "test.parquet")
    target = test[read_schema(project.prepared / "schema.json").target]
    try:
        parts = [
            arrays(target, load_predictor(project.models / version).answer(test))
            for version in (champion, challenger)
        ]
    except UserError as error:
        reason = f"the champion cannot answer rows of today: {error.message}"
        return Decision(champion, challenger, promoted=True, reason=reason)

    def gain(rows: np.ndarray) -> float:
        old, new = (metric.function(*(part[rows] for part in both)) for both in parts)
        return metric.gain(new, old)

    old, new = (metric.function(*both) for both in parts)
    draws = resamples(len(test), definition.search.seed, group=test.get(GROUP))
    drawn = [gain(rows) for rows in draws]
    confidence = float(np.mean(np.array(drawn) > settings.margin))
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
