"""What Prometheus reads from the service."""

import json
import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ...problem.project import Project
from .champion import ChampionWatch
from .gather import MOST_ROWS, Gatherer
from .log_writer import LogWriter
from .shadow import Shadow

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds; one row takes milliseconds, a thousand rows of a large forest take a second.
BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
ROW_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, MOST_ROWS)

logger = logging.getLogger(__name__)


class Metrics:
    """Counts requests, and reads the state of the model and the log when it is asked."""

    def __init__(
        self,
        project: Project,
        watch: ChampionWatch,
        log: LogWriter,
        gatherer: Gatherer[Any, Any],
        shadow: Shadow,
    ) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "service_requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "service_request_seconds",
            "Time from a request's arrival to its answer.",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._rows = Counter("service_predicted_rows", "Rows predicted.", registry=registry)
        self._feedback = Counter("service_feedback", "Truths taken.", registry=registry)
        self._call_seconds = Histogram(
            "service_model_call_seconds",
            "Time of a call of the model.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._call_rows = Histogram(
            "service_model_call_rows",
            "Rows in a call of the model: those of all requests that waited together.",
            buckets=ROW_BUCKETS,
            registry=registry,
        )
        registry.register(_State(watch, log, gatherer))
        registry.register(_Shadowed(shadow))
        registry.register(_Monitored(project.reports / "monitor.json"))
        ProcessCollector(registry=registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def model_call(self, rows: int) -> AbstractContextManager[object]:
        """Count and time the call of the model in a block."""
        self._call_rows.observe(rows)
        return self._call_seconds.time()

    def predicted(self, rows: int) -> None:
        """Count rows that were predicted."""
        self._rows.inc(rows)

    def took_feedback(self) -> None:
        """Count a truth that came back."""
        self._feedback.inc()

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self._registry)


class _State(Collector):
    def __init__(self, watch: ChampionWatch, log: LogWriter, gatherer: Gatherer[Any, Any]) -> None:
        self._watch = watch
        self._log = log
        self._gatherer = gatherer

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("service_model_info", "The model that serves.", labels=["version"])
        serving = self._watch.serving
        if serving is not None:
            info.add_metric([serving.predictor.version], 1)
        yield info
        yield GaugeMetricFamily(
            "service_waiting_requests",
            "Requests that wait for the model.",
            value=len(self._gatherer),
        )
        yield GaugeMetricFamily(
            "service_log_waiting_rows",
            "Rows that wait for the prediction log.",
            value=len(self._log),
        )
        yield CounterMetricFamily(
            "service_log_dropped_rows",
            "Rows lost because the prediction log was away for too long.",
            value=self._log.dropped,
        )
        yield CounterMetricFamily(
            "service_champion_load_failures",
            "How often a new champion could not be loaded.",
            value=self._watch.failures,
        )


class _Shadowed(Collector):
    def __init__(self, shadow: Shadow) -> None:
        self._shadow = shadow

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily(
            "service_shadow_info", "The challenger that answers in the shadow.", labels=["version"]
        )
        if self._shadow.version:
            info.add_metric([self._shadow.version], 1)
        yield info
        counts = {
            "rows": ("Rows that a challenger answered.", self._shadow.rows),
            "different_rows": (
                "Of these, with another prediction than the champion's.",
                self._shadow.different,
            ),
            "lost_rows": (
                "Rows that it did not answer: too many waited, it failed, or could not be loaded.",
                self._shadow.lost,
            ),
        }
        for name, (what, value) in counts.items():
            yield CounterMetricFamily(f"service_shadow_{name}", what, value=value)


class _Monitored(Collector):
    """What the last `monitor` found; nothing before the first."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def collect(self) -> Iterator[Metric]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            yield from _monitored(found, self._path.stat().st_mtime)
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:  # the other metrics matter more
            logger.warning("%s cannot be read: %s", self._path, error)


def _monitored(found: dict[str, Any], time: float) -> Iterator[Metric]:
    version = found["version"]
    figures = {
        "model_monitored_timestamp_seconds": ("When `monitor` last looked.", time),
        "model_monitored_rows": ("Predictions that `monitor` looked at.", found["rows"]),
        "model_labelled_rows": ("Of these, with a known truth.", found["labelled"]),
    }
    for name, (what, value) in figures.items():
        family = GaugeMetricFamily(name, what, labels=["version"])
        family.add_metric([version], value)
        yield family
    alarms = GaugeMetricFamily(
        "model_alarms",
        "Alarms that `monitor` raised: of drift, and of errors.",
        labels=["version", "kind"],
    )
    alarms.add_metric([version, "drift"], len(found["drifted"]))
    alarms.add_metric([version, "errors"], len(found["decayed"]))
    p_value = GaugeMetricFamily(
        "model_drift_p_value",
        "The chance of such a change of a column, or a larger one, if nothing had changed.",
        labels=["version", "column"],
    )
    psi = GaugeMetricFamily(
        "model_drift_psi", "Population stability index.", labels=["version", "column"]
    )
    for drift in found["drifts"]:
        p_value.add_metric([version, drift["column"]], drift["p_value"])
        psi.add_metric([version, drift["column"]], drift["psi"])
    quality = GaugeMetricFamily(
        "model_quality",
        "The metric of the definition where the truth is known, with its 95 % interval.",
        labels=["version", "bound"],
    )
    for bound, value in (found["quality"] or {}).items():
        if value is not None:
            quality.add_metric([version, bound], value)
    yield from (alarms, p_value, psi, quality)
    yield from _side_by_side(version, found["shadow"])


def _side_by_side(champion: str, found: dict[str, Any] | None) -> Iterator[Metric]:
    """Tell of champion and challenger on the same rows; no values without a challenger."""
    rows = GaugeMetricFamily(
        "model_shadow_labelled_rows",
        "Answers of the challenger whose truth is known.",
        labels=["version"],
    )
    quality = GaugeMetricFamily(
        "model_shadow_quality",
        "The metric of champion and challenger on the same rows, with its 95 % interval.",
        labels=["version", "role", "bound"],
    )
    if found is not None:
        versions = {"champion": champion, "challenger": found["challenger"]}
        rows.add_metric([versions["challenger"]], found["rows"])
        for role, numbers in found["quality"].items():
            for bound, value in numbers.items():
                quality.add_metric([versions[role], role, bound], value)
    yield from (rows, quality)
