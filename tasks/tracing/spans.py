"""Spans: what was done, and how long it took. Where nothing records them, all of this does nothing.

OpenTelemetry is imported only where spans are recorded (tasks/tracing/recorder.py).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import TracebackType
from typing import Self

from tasks.tracing.endpoint import ON

Attributes = Mapping[str, str | int | None]
"""What a span says, by OpenTelemetry's names. None is left out. Only what tasks/tracing/scrubbing.py lists is sent."""


class Span:
    """A span that is not recorded. It is the current one while the block runs, and ends with it."""

    __slots__ = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        pass

    def current(self) -> AbstractContextManager[object]:
        """Return a context in which this span is the current one, although the block runs in another task."""
        return nullcontext()

    def note(self, attributes: Attributes) -> None:
        """Add to what the span says."""

    def rename(self, name: str) -> None:
        """Give the span another name."""

    def link(self, traceparent: str | None) -> None:
        """Refer to a span of another trace. A traceparent that is None, or not valid, is ignored."""

    def fail(self, code: str) -> None:
        """Mark the span as failed. An exception that leaves the block does so by itself, but a cancellation does not.

        code: that of a Failure, a status of HTTP, or the name of an exception's class.
        """


NONE = Span()


def span(name: str) -> Span:
    """Return a span of a step within the current span. Without a current one, it is not recorded."""
    if not ON:
        return NONE
    from tasks.tracing import recorder

    return recorder.step(name)


def statement(engine: str, text: Callable[[], str], name: str = "") -> Span:
    """Return a span of a query within the current span. Without a current one, it is not recorded.

    engine: sqlite or postgres. text: returns the SQL. name: of the span; by default, the first word of the SQL.
    """
    if not ON:
        return NONE
    from tasks.tracing import recorder

    return recorder.statement(engine, text, name)


def trace(name: str, attributes: Attributes, link: str | None) -> Span:
    """Return the first span of a new trace, which calls another service. link: as in Span.link()."""
    if not ON:
        return NONE
    from tasks.tracing import recorder

    return recorder.trace(name, attributes, link)


def request(method: str, traceparent: str | None) -> Span:
    """Return the span of a request that we answer. traceparent: as the client sent it; ignored when it is not valid."""
    if not ON:
        return NONE
    from tasks.tracing import recorder

    return recorder.request(method, traceparent)


def note(attributes: Attributes) -> None:
    """Add to what the current span says."""
    if ON:
        from tasks.tracing import recorder

        recorder.note(attributes)


def traceparent() -> str | None:
    """Return the current span as others can refer to it (W3C Trace Context), or None where there is none."""
    if not ON:
        return None
    from tasks.tracing import recorder

    return recorder.traceparent()


@contextmanager
def recording(service: str) -> Iterator[None]:
    """Record spans while the block runs, if they are wanted. service: the name of this process among others."""
    if not ON:
        yield
        return
    from tasks.tracing import exporting

    provider = exporting.begin(service)
    try:
        yield
    finally:
        exporting.end(provider)
