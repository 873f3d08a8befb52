"""When to raise an alarm, retrain, promote and roll back.

`monitor` and `improve` decide by these functions; the settings are [improvement] of project.toml.
"""

from datetime import UTC, datetime, timedelta

from mlsteps.improvement import Comparison, Drift, Performance, Policy, Reason, Situation
from mlsteps.problem import Improvement

DRIFT_SHARE = 0.5  # of the false alarms that are allowed; the other half is for the errors


def has_drifted(drift: Drift, settings: Improvement) -> bool:
    """Return whether the change of a column is an alarm: it is hardly chance."""
    return drift.p_value < DRIFT_SHARE * settings.false_alarm_rate


def has_decayed(performance: Performance, settings: Improvement) -> bool:
    """Return whether the errors are an alarm: the metric is worse than tested, or they rose."""
    return performance.is_worse_than_tested or performance.change is not None


def reasons_to_retrain(situation: Situation, settings: Improvement) -> dict[str, Reason]:
    """Return the reasons by the name that [improvement] retrain lists; add your own.

    One that holds is enough to train a challenger. New [models] candidates are always a reason.
    """
    days = (datetime.now(UTC) - situation.trained) / timedelta(days=1)
    labels = situation.new_labels
    return {
        "always": Reason(holds=True, text="it is done always"),
        "drift": Reason(
            holds=bool(situation.drifted),
            text="; ".join(situation.drifted) or "no drift was seen",
        ),
        "decay": Reason(
            holds=bool(situation.decayed),
            text="; ".join(situation.decayed) or "the errors have not risen",
        ),
        "schedule": Reason(
            holds=days >= settings.every_days,
            text=f"the newest version is {days:.1f} days old, {settings.every_days:g} are needed",
        ),
        "labels": Reason(
            holds=labels >= settings.new_labels,
            text=f"the true labels of {labels:,} predictions came since the last training, "
            f"{settings.new_labels:,} are needed",
        ),
    }


def promotes(comparison: Comparison, settings: Improvement) -> bool:
    """Return whether a challenger takes the champion's place: it is surely better by the margin."""
    return comparison.gain > settings.margin and comparison.confidence >= settings.confidence


def rolls_back(comparison: Comparison, settings: Improvement) -> bool:
    """Return whether the predecessor serves again: it is better on live rows, hardly by chance."""
    confidence = 1 - settings.false_alarm_rate
    return comparison.gain > settings.margin and comparison.confidence >= confidence


POLICY = Policy(
    has_drifted=has_drifted,
    has_decayed=has_decayed,
    reasons_to_retrain=reasons_to_retrain,
    promotes=promotes,
    rolls_back=rolls_back,
)
