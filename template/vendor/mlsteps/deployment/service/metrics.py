"""What Prometheus reads from the service."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .batcher import MOST_ROWS

# Seconds; one row takes milliseconds, a thousand rows of a large forest take a second.
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROW_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, MOST_ROWS)

logger = logging.getLogger(__name__)

OWN = CollectorRegistry()  # counts of the process: those of all its services
ProcessCollector(registry=OWN)
REQUESTS = Counter("service_requests", "Requests answered.", ["route", "status"], registry=OWN)
SECONDS = Histogram(
    "service_request_seconds",
    "Time from a request's arrival to its response.",
    ["route"],
    buckets=BUCKETS,
    registry=OWN,
)
WAITING_REQUESTS = Gauge(
    "service_waiting_requests", "Requests that wait for the model.", registry=OWN
)
CALL_SECONDS = Histogram(
    "service_model_call_seconds", "Time of a call of the model.", buckets=BUCKETS, registry=OWN
)
CALL_ROWS = Histogram(
    "service_model_call_rows",
    "Rows in a call of the model: those of all requests that waited together.",
    buckets=ROW_BUCKETS,
    registry=OWN,
)
ROWS = Counter("service_predicted_rows", "Rows predicted.", registry=OWN)
FEEDBACK = Counter("service_feedback", "True labels taken.", registry=OWN)
CHAMPION = Gauge("service_model_info", "The model that serves.", ["version"], registry=OWN)
LOAD_FAILURES = Counter(
    "service_champion_load_failures", "New champions that could not be loaded.", registry=OWN
)
CHALLENGER = Gauge(
    "service_shadow_info", "The challenger in shadow mode.", ["version"], registry=OWN
)
SHADOW_ROWS = Counter("service_shadow_rows", "Rows that a challenger predicted.", registry=OWN)
SHADOW_DIFFERENT_ROWS = Counter(
    "service_shadow_different_rows",
    "Of these, with another prediction than the champion's.",
    registry=OWN,
)
SHADOW_LOST_ROWS = Counter(
    "service_shadow_lost_rows",
    "Rows that it did not predict: too many waited, it failed or was not loaded.",
    registry=OWN,
)
LOG_WAITING_ROWS = Gauge(
    "service_log_waiting_rows", "Rows that wait for the prediction log.", registry=OWN
)
LOG_DROPPED_ROWS = Counter(
    "service_log_dropped_rows",
    "Rows lost because the prediction log was away for too long.",
    registry=OWN,
)


def show_version(gauge: Gauge, version: str | None) -> None:
    """Let a metric name a version; without one it has no value."""
    gauge.clear()
    if version:
        gauge.labels(version).set(1)


def metrics_text(report: Path) -> bytes:
    """Return the metrics of the process, and what the last `monitor` found, from its report."""
    return generate_latest(OWN) + generate_latest(Monitored(report))


class Monitored(Collector):
    """The metrics of the report of `monitor`; none before the first."""

    def __init__(self, report: Path) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        try:
            found = json.loads(self._report.read_text(encoding="utf-8"))
            yield from _monitored(found, self._report.stat().st_mtime)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:  # the others matter more
            logger.warning("%s cannot be read: %s", self._report, error)


def _monitored(found: dict[str, Any], time: float) -> Iterator[Metric]:
    version, shadow = found["version"], found["shadow"] or {"quality": {}}
    of_version, challenger = {"version": version}, shadow.get("challenger", "")
    both = {"champion": version, "challenger": challenger}
    alarms = {"drift": len(found["drifted"]), "errors": len(found["decayed"])}
    yield _gauge("monitored_timestamp_seconds", "When `monitor` last looked.", [(of_version, time)])
    yield _gauge(
        "monitored_rows", "Predictions that `monitor` looked at.", [(of_version, found["rows"])]
    )
    yield _gauge(
        "labelled_rows", "Of these, with a known true label.", [(of_version, found["labelled"])]
    )
    yield _gauge(
        "alarms",
        "Alarms that `monitor` raised: of drift, and of errors.",
        [(of_version | {"kind": kind}, number) for kind, number in alarms.items()],
    )
    for name, what in {
        "p_value": "The chance of such a change of a column, or a larger one, if nothing changed.",
        "psi": "Population stability index.",
    }.items():
        drifts = [(of_version | {"column": one["column"]}, one[name]) for one in found["drifts"]]
        yield _gauge(f"drift_{name}", what, drifts)
    yield _gauge(
        "quality",
        "The metric of the definition where the true label is known, with its 95 % interval.",
        [(of_version | {"bound": b}, value) for b, value in (found["quality"] or {}).items()],
    )
    yield _gauge(
        "shadow_labelled_rows",
        "Predictions of the challenger whose true label is known.",
        [({"version": challenger}, shadow.get("rows"))],
    )
    yield _gauge(
        "shadow_quality",
        "The metric of champion and challenger on the same rows, with its 95 % interval.",
        [
            ({"version": both[role], "role": role, "bound": bound}, value)
            for role, numbers in shadow["quality"].items()
            for bound, value in numbers.items()
        ],
    )


def _gauge(name: str, what: str, samples: list[tuple[dict[str, str], float | None]]) -> Metric:
    """Return a metric of the model with a value for each set of labels; None is left out."""
    family = GaugeMetricFamily(f"model_{name}", what, labels=list(samples[0][0]) if samples else [])
    for labels, value in samples:
        if value is not None:
            family.add_metric(list(labels.values()), value)
    return family
