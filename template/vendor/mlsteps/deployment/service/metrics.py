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

OWN = CollectorRegistry()  # of this process
# Seconds; one row takes milliseconds, a thousand rows of a large forest take a second.
TIMES: dict[str, Any] = {
    "buckets": (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    "registry": OWN,
}
SIZES: dict[str, Any] = {
    "buckets": (1, 2, 5, 10, 20, 50, 100, 200, 500, MOST_ROWS),
    "registry": OWN,
}

logger = logging.getLogger(__name__)


def _counter(name: str, what: str, *labels: str) -> Counter:
    return Counter(f"service_{name}", what, labels, registry=OWN)


def _gauge(name: str, what: str, *labels: str) -> Gauge:
    return Gauge(f"service_{name}", what, labels, registry=OWN)


ProcessCollector(registry=OWN)
REQUESTS = _counter("requests", "Requests; unknown paths are the route unknown.", "route", "status")
SECONDS = Histogram("service_request_seconds", "From arrival to response.", ["route"], **TIMES)
WAITING_REQUESTS = _gauge("waiting_requests", "Requests that wait for the model.")
CALL_SECONDS = Histogram("service_model_call_seconds", "Time of a call of the model.", **TIMES)
CALL_ROWS = Histogram(
    "service_model_call_rows", "Rows of such a call: of all requests that waited.", **SIZES
)
ROWS = _counter("predicted_rows", "Rows predicted.")
FEEDBACK = _counter("feedback", "True labels taken.")
CHAMPION = _gauge("model_info", "1 for the model that serves.", "version")
LOAD_FAILURES = _counter("champion_load_failures", "New champions that could not be loaded.")
CHALLENGER = _gauge("shadow_info", "1 for the challenger in the shadow.", "version")
SHADOW_ROWS = _counter("shadow_rows", "Rows that a challenger predicted.")
SHADOW_DIFFERENT_ROWS = _counter(
    "shadow_different_rows", "Of these, with another prediction than the champion's."
)
SHADOW_LOST_ROWS = _counter(
    "shadow_lost_rows",
    "Rows that it did not predict: too many waited, it failed or was not loaded.",
)
LOG_WAITING_ROWS = _gauge("log_waiting_rows", "Rows that wait for the prediction log.")
LOG_REPLACED = _counter(
    "log_replaced", "How often the prediction log was deleted or replaced, so that it began anew."
)
LOG_DROPPED_ROWS = _counter(
    "log_dropped_rows", "Rows lost because the prediction log was away for too long."
)

# What `monitor` finds: names of metrics, what they are, and their labels beside the version.
MONITORED: dict[str, tuple[str, list[str]]] = {
    "monitored_timestamp_seconds": ("When `monitor` last looked.", []),
    "monitored_rows": ("Predictions that `monitor` looked at.", []),
    "labelled_rows": ("Of these, with a known true label.", []),
    "alarms": ("Alarms that `monitor` raised: of drift, and of errors.", ["kind"]),
    "drift_p_value": (
        "The chance of such a change, or a larger one, if nothing changed.",
        ["column"],
    ),
    "drift_psi": ("Population stability index.", ["column"]),
    "quality": ("The metric of the definition, with its 95 % interval.", ["bound"]),
    "shadow_labelled_rows": ("The challenger's predictions whose true label is known.", []),
    "shadow_quality": ("The metric of both on the same rows.", ["role", "bound"]),
}


def show_version(gauge: Gauge, version: str | None) -> None:
    """Let a metric name a version; without one it has no value."""
    gauge.clear()
    if version:
        gauge.labels(version).set(1)


def metrics_text(report: Path) -> bytes:
    """Return the metrics of the process, and what the last `monitor` found, from its report."""
    return generate_latest(OWN) + generate_latest(Monitored(report))


class Monitored(Collector):
    """The metrics of the report of `monitor`; they have no values before the first."""

    def __init__(self, report: Path) -> None:
        self._report = report

    def collect(self) -> Iterator[Metric]:
        """Yield them."""
        families = {
            name: GaugeMetricFamily(f"model_{name}", what, labels=["version", *labels])
            for name, (what, labels) in MONITORED.items()
        }
        try:
            found = json.loads(self._report.read_text(encoding="utf-8"))
            for name, labels, value in _values(found, self._report.stat().st_mtime):
                if value is not None:
                    families[name].add_metric(labels, value)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:  # the others matter more
            logger.warning("%s cannot be read: %s", self._report, error)
        yield from families.values()


def _values(found: dict[str, Any], time: float) -> Iterator[tuple[str, list[str], float | None]]:
    """Yield the name of each metric, the values of its labels, and its value."""
    version = found["version"]
    yield "monitored_timestamp_seconds", [version], time
    yield "monitored_rows", [version], found["rows"]
    yield "labelled_rows", [version], found["labelled"]
    yield "alarms", [version, "drift"], len(found["drifted"])
    yield "alarms", [version, "errors"], len(found["decayed"])
    for one in found["drifts"]:
        yield "drift_p_value", [version, one["column"]], one["p_value"]
        yield "drift_psi", [version, one["column"]], one["psi"]
    for bound, value in (found["quality"] or {}).items():
        yield "quality", [version, bound], value
    if shadow := found["shadow"]:
        yield "shadow_labelled_rows", [shadow["challenger"]], shadow["rows"]
        versions = {"champion": version, "challenger": shadow["challenger"]}
        for role, numbers in shadow["quality"].items():
            for bound, value in numbers.items():
                yield "shadow_quality", [versions[role], role, bound], value
