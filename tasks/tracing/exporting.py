"""The export of a process's spans, in the background: a collector that is away or hangs delays nothing.

Spans wait in a queue of limited length, and are lost when it is full. OpenTelemetry's own variables say how long it is,
which part of the traces is recorded, and which headers are sent along.
"""

import logging
import os
from collections.abc import Callable
from importlib import metadata
from threading import Thread
from time import monotonic

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.propagate import set_global_textmap
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from tasks.tracing.scrubbing import Scrubbed

log = logging.getLogger(__name__)

FLUSH_SECONDS = 2.0  # for the spans that are left when a process ends
LOG_SECONDS = 60.0  # between two lines about trouble with traces


def begin(service: str) -> TracerProvider:
    """Record spans from now on, also those of httpx and of Redis's client. Once per process."""
    library = logging.getLogger("opentelemetry")
    library.propagate = False
    library.addHandler(Seldom())
    os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "http,database"  # the names that we use ourselves, not their old ones
    ours = Resource.create({"service.name": service, "service.version": metadata.version("darkroom")})
    provider = TracerProvider(resource=ours.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter())))
    trace.set_tracer_provider(provider)
    # Libraries pass nothing on: whom we ask for a file, for example, need not know of our traces.
    set_global_textmap(CompositePropagator([]))
    HTTPXClientInstrumentor().instrument()
    RedisInstrumentor().instrument()
    return provider


def end(provider: TracerProvider) -> None:
    """Send the spans that are left, for FLUSH_SECONDS at most."""
    flushing = Thread(target=provider.shutdown, daemon=True)  # it waits for as long as the collector hangs
    flushing.start()
    flushing.join(FLUSH_SECONDS)


class Seldom(logging.Handler):
    """A handler that logs one warning a minute at most: a collector that is away has several with each batch."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(logging.WARNING)
        self._clock, self._logged_at = clock, float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        """Log a message, unless one was logged just now."""
        if self._clock() - self._logged_at >= LOG_SECONDS:
            self._logged_at = self._clock()
            log.warning("traces: %s", record.getMessage())
