"""What Prometheus reads from the service."""

import json
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .batcher import MOST_ROWS

# Seconds; one row takes milliseconds, a thousand rows of a large forest take a second.
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROW_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, MOST_ROWS)
Sample = tuple[list[str], float | None]  # values of the labels, and the value

logger = logging.getLogger(__name__)


class Metrics:
    """The metrics that the service counts itself; `watch` adds those that are read when asked for.

    Attributes
    ----------
    registry
        Of all of them.
    requests, seconds
        Requests by route and status, and their times by route.
    rows, feedback
        Rows that were predicted, and true labels that came back.
    call_seconds, call_rows
        Of calls of the model.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "service_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "service_request_seconds",
            "Time from a request's arrival to its response.",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.rows = Counter("service_predicted_rows", "Rows predicted.", registry=registry)
        self.feedback = Counter("service_feedback", "True labels taken.", registry=registry)
        self.call_seconds = Histogram(
            "service_model_call_seconds",
            "Time of a call of the model.",
            buckets=BUCKETS,
            registry=registry,
        )
        self.call_rows = Histogram(
            "service_model_call_rows",
            "Rows in a call of the model: those of all requests that waited together.",
            buckets=ROW_BUCKETS,
            registry=registry,
        )

    def watch(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Add metrics that a function returns when Prometheus asks."""
        self.registry.register(_Read(read))


class _Read(Collector):
    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        return self._read()


def labelled(name: str, what: str, labels: list[str], samples: Iterable[Sample]) -> Metric:
    """Return a metric with labels; values that are None are left out."""
    family = GaugeMetricFamily(name, what, labels=labels)
    for values, value in samples:
        if value is not None:
            family.add_metric(values, value)
    return family


def info(name: str, what: str, version: str | None) -> Metric:
    """Return a metric that names a version; without one it has no value."""
    return labelled(name, what, ["version"], [([version], 1)] if version else [])


def monitored(path: Path) -> Iterator[Metric]:
    """Return what the last `monitor` found, from its report; nothing before the first."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        yield from _monitored(found, path.stat().st_mtime)
    except FileNotFoundError:
        return
    except (OSError, ValueError, KeyError, TypeError) as error:  # the other metrics matter more
        logger.warning("%s cannot be read: %s", path, error)


def _monitored(found: dict[str, Any], time: float) -> Iterator[Metric]:
    version, drifts = found["version"], found["drifts"]
    numbers = {
        "model_monitored_timestamp_seconds": ("When `monitor` last looked.", time),
        "model_monitored_rows": ("Predictions that `monitor` looked at.", found["rows"]),
        "model_labelled_rows": ("Of these, with a known true label.", found["labelled"]),
    }
    for name, (what, value) in numbers.items():
        yield labelled(name, what, ["version"], [([version], value)])
    alarms = {"drift": len(found["drifted"]), "errors": len(found["decayed"])}
    yield labelled(
        "model_alarms",
        "Alarms that `monitor` raised: of drift, and of errors.",
        ["version", "kind"],
        [([version, kind], number) for kind, number in alarms.items()],
    )
    for name, what in {
        "p_value": "The chance of such a change of a column, or a larger one, if nothing changed.",
        "psi": "Population stability index.",
    }.items():
        samples: list[Sample] = [([version, one["column"]], one[name]) for one in drifts]
        yield labelled(f"model_drift_{name}", what, ["version", "column"], samples)
    yield labelled(
        "model_quality",
        "The metric of the definition where the true label is known, with its 95 % interval.",
        ["version", "bound"],
        [([version, bound], value) for bound, value in (found["quality"] or {}).items()],
    )
    yield from _in_shadow(version, found["shadow"] or {"quality": {}})


def _in_shadow(champion: str, found: dict[str, Any]) -> Iterator[Metric]:
    """Return champion and challenger on the same rows; no values without a challenger."""
    versions = {"champion": champion, "challenger": found.get("challenger", "")}
    yield labelled(
        "model_shadow_labelled_rows",
        "Predictions of the challenger whose true label is known.",
        ["version"],
        [([versions["challenger"]], found.get("rows"))],
    )
    yield labelled(
        "model_shadow_quality",
        "The metric of champion and challenger on the same rows, with its 95 % interval.",
        ["version", "role", "bound"],
        [
            ([versions[role], role, bound], value)
            for role, numbers in found["quality"].items()
            for bound, value in numbers.items()
        ],
    )
