"""Spans that are recorded, by OpenTelemetry's API."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import Token
from types import TracebackType
from typing import Self

from opentelemetry import trace as otel
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tasks.errors import Failure
from tasks.tracing.spans import NONE, Attributes, Span

SCOPE = "darkroom"
"""The name of what makes our spans, beside the libraries that make some, too."""
SYSTEMS = {"sqlite": "sqlite", "postgres": "postgresql"}
W3C = TraceContextTextMapPropagator()


class RecordedSpan(Span):
    """A span that is recorded."""

    __slots__ = ("_recorded", "_token")

    def __init__(self, recorded: otel.Span) -> None:
        self._recorded = recorded
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        self._token = attach(otel.set_span_in_context(self._recorded))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if isinstance(error, Exception):
            self.fail(error.code if isinstance(error, Failure) else type(error).__name__)
        if self._token is not None:
            detach(self._token)
        self._recorded.end()

    def current(self) -> AbstractContextManager[object]:
        """Return a context in which this span is the current one."""
        return otel.use_span(self._recorded, record_exception=False, set_status_on_exception=False)

    def note(self, attributes: Attributes) -> None:
        """Add to what the span says."""
        self._recorded.set_attributes(_known(attributes))

    def rename(self, name: str) -> None:
        """Give the span another name."""
        self._recorded.update_name(name)

    def link(self, traceparent: str | None) -> None:
        """Refer to a span of another trace."""
        if (other := _context(traceparent)).is_valid:
            self._recorded.add_link(other)

    def fail(self, code: str) -> None:
        """Mark the span as failed."""
        self._recorded.set_attribute("error.type", code)
        self._recorded.set_status(Status(StatusCode.ERROR, code))


def step(name: str) -> Span:
    """Return a span as spans.span() does."""
    if not otel.get_current_span().get_span_context().is_valid:
        return NONE
    return RecordedSpan(_tracer().start_span(name))


def statement(engine: str, text: Callable[[], str], name: str) -> Span:
    """Return a span as spans.statement() does."""
    if not otel.get_current_span().get_span_context().is_valid:
        return NONE
    sql = text()
    said = {"db.system.name": SYSTEMS[engine], "db.query.text": sql}
    first = name or sql.split(maxsplit=1)[0].upper()
    return RecordedSpan(_tracer().start_span(first, kind=SpanKind.CLIENT, attributes=said))


def trace(name: str, attributes: Attributes, link: str | None) -> Span:
    """Return a span as spans.trace() does."""
    links = [Link(other)] if (other := _context(link)).is_valid else []
    return RecordedSpan(
        _tracer().start_span(name, Context(), SpanKind.CLIENT, attributes=_known(attributes), links=links)
    )


def request(method: str, traceparent: str | None) -> Span:
    """Return a span as spans.request() does."""
    return RecordedSpan(_tracer().start_span(method, _after(traceparent), SpanKind.SERVER))


def note(attributes: Attributes) -> None:
    """Add to what the current span says."""
    otel.get_current_span().set_attributes(_known(attributes))


def traceparent() -> str | None:
    """Return the current span as spans.traceparent() does."""
    carrier: dict[str, str] = {}
    W3C.inject(carrier)
    return carrier.get("traceparent")


def _tracer() -> otel.Tracer:
    return otel.get_tracer(SCOPE)


def _after(traceparent: str | None) -> Context:
    """Return a context in which the span of a traceparent is the current one, or none if it is not valid."""
    return W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _context(traceparent: str | None) -> SpanContext:
    return otel.get_current_span(_after(traceparent)).get_span_context()


def _known(attributes: Attributes) -> dict[str, str | int]:
    return {name: value for name, value in attributes.items() if value is not None}
