"""What Prometheus reads from the service."""

from collections.abc import Iterator

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .champion import ChampionWatch
from .log_writer import LogWriter

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Seconds; one row takes milliseconds, a thousand rows of a large forest take a second.
BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Metrics:
    """Counts requests, and reads the state of the model and the log when it is asked."""

    def __init__(self, watch: ChampionWatch, log: LogWriter) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "service_requests", "Requests answered.", ["route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "service_request_seconds",
            "Time from a request's arrival to its answer.",
            ["route"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._rows = Counter("service_predicted_rows", "Rows predicted.", registry=self.registry)
        self.registry.register(_State(watch, log))
        ProcessCollector(registry=self.registry)

    def request(self, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def predicted(self, rows: int) -> None:
        """Count rows that were predicted."""
        self._rows.inc(rows)

    def text(self) -> bytes:
        """Return everything in Prometheus's text format."""
        return generate_latest(self.registry)


class _State(Collector):
    def __init__(self, watch: ChampionWatch, log: LogWriter) -> None:
        self._watch = watch
        self._log = log

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("service_model_info", "The model that serves.", labels=["version"])
        serving = self._watch.serving
        if serving is not None:
            info.add_metric([serving.predictor.version], 1)
        yield info
        yield GaugeMetricFamily(
            "service_log_waiting_rows",
            "Rows that wait for the prediction log.",
            value=len(self._log),
        )
        yield CounterMetricFamily(
            "service_log_dropped_rows",
            "Rows lost because too many waited for the prediction log.",
            value=self._log.dropped,
        )
        yield CounterMetricFamily(
            "service_champion_load_failures",
            "How often a new champion could not be loaded.",
            value=self._watch.failures,
        )
