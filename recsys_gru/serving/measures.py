"""What the service measures of itself, for Prometheus."""

import os
from collections.abc import Callable
from typing import final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

PREFIX = "recsys_gru_serving_"
SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56)
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Where several processes of one service keep their figures together; prometheus_client reads it itself."""


@final
class Measures:
    """The counters of one service."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered.", "route", "status")
        self._seconds = self._histogram(
            "request_seconds", "From a request's head to its answer.", SECONDS, "route"
        )
        self.batch = self._histogram("batch_size", "Requests of one pass.", SIZES)
        self.batch_seconds = self._histogram("batch_seconds", "Seconds of one pass.", SECONDS)
        self.answers = self._counter("answers", "Answers by what gave them; the model is not all.", "source")
        self.known = self._counter("known_items", "Items of requests that the model knows.")
        self.unknown = self._counter("unknown_items", "Items of requests that it does not.")
        self.clicks = self._counter("clicks", "Clicks that are on disk.")
        self.click_failures = self._counter("click_failures", "Clicks refused, as they could not be kept.")
        self.sync_seconds = self._histogram("click_sync_seconds", "Seconds of one writing to disk.", SECONDS)
        self.swaps = self._counter("swaps", "New models, by outcome.", "model", "outcome")
        self._model = self._gauge("model_info", "1 for the version that serves.", "model", "version", "kind")
        self._of: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self._watched: list[tuple[Gauge, Callable[[], float]]] = []

    def watch(self, name: str, says: str, read: Callable[[], float]) -> None:
        """A gauge that is read now and then; of several processes the largest is told."""
        self._watched.append((self._gauge(name, says), read))

    def read(self) -> None:
        """Read what is watched."""
        for gauge, read in self._watched:
            gauge.set(read())

    def serving(self, labels: tuple[str, str, str], *, serves: bool) -> None:
        """A version (name, version, kind) serves from now on, or no longer."""
        if serves or SHARED in os.environ:
            self._model.labels(*labels).set(int(serves))
        else:
            self._model.remove(*labels)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """A request was answered; to look the labels up each time would take as long as to count."""
        found = self._of.get((route, status))
        if found is None:
            found = self._requests.labels(route, status), self._seconds.labels(route)
            self._of[route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def passed(self, size: int, seconds: float) -> None:
        """A pass was made."""
        self.batch.observe(size)
        self.batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it; of all processes of the service together, where there are several."""
        self.read()
        if SHARED not in os.environ:
            return generate_latest(self.registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]
        return generate_latest(together)

    def _counter(self, name: str, says: str, *labels: str) -> Counter:
        return Counter(PREFIX + name, says, labels, registry=self.registry)

    def _gauge(self, name: str, says: str, *labels: str) -> Gauge:
        return Gauge(PREFIX + name, says, labels, registry=self.registry, multiprocess_mode="livemax")

    def _histogram(self, name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(PREFIX + name, says, labels, registry=self.registry, buckets=buckets)
