"""When to raise an alarm, retrain, promote and roll back."""

from datetime import UTC, datetime, timedelta

from mlsteps.improvement import Comparison, Drift, Policy, Situation
from mlsteps.problem import Improvement

DRIFT_SHARE = 0.5  # of the false alarms that are allowed; the other half is for the errors


def has_drifted(drift: Drift, settings: Improvement) -> bool:
    """Tell whether the change of a column is an alarm."""
    return drift.p_value < DRIFT_SHARE * settings.false_alarm_rate


def reasons_to_retrain(
    situation: Situation, settings: Improvement
) -> tuple[list[str], list[str]]:
    """Return what speaks for training a challenger now, and what against it."""
    age = datetime.now(UTC) - situation.trained
    days = f"the newest version is {age / timedelta(days=1):.1f} days old"
    labels = f"the true labels of {situation.new_labels:,} predictions came since the last training"
    rules = {
        "always": (True, "it is done always", ""),
        "drift": (
            bool(situation.drifted),
            "; ".join(situation.drifted),
            "no drift was seen",
        ),
        "decay": (
            bool(situation.decayed),
            "; ".join(situation.decayed),
            "the errors have not risen",
        ),
        "schedule": (
            age >= timedelta(days=settings.every_days),
            days,
            f"{days}, {settings.every_days:g} are asked for",
        ),
        "labels": (
            situation.new_labels >= settings.new_labels,
            labels,
            f"{labels}, {settings.new_labels:,} are asked for",
        ),
    }
    chosen = [rules[name] for name in settings.retrain]
    reasons = [reason for due, reason, _ in chosen if due]
    if situation.candidates_changed:
        reasons.insert(0, "[models] candidates has changed")
    return reasons, [against for due, _, against in chosen if not due]


def promotes(comparison: Comparison, settings: Improvement) -> bool:
    """Tell whether a challenger is better enough to take the champion's place."""
    return comparison.gain > settings.margin and comparison.confidence >= settings.confidence


def rolls_back(comparison: Comparison, settings: Improvement) -> bool:
    """Tell whether the predecessor is better enough on live rows to serve again."""
    doubt = 1 - settings.false_alarm_rate
    return comparison.gain > settings.margin and comparison.confidence >= doubt


POLICY = Policy(has_drifted, reasons_to_retrain, promotes, rolls_back)
