"""A collector of traces: a real HTTP server that reads what OpenTelemetry exports, and hangs if it is told to."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATH = "/v1/traces"


@dataclass(frozen=True)
class Exported:
    """A span as it arrived. Ids are in hexadecimal; parent: "" for none. service: its whole resource."""

    service: dict[str, Any]
    scope: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]]
    says: dict[str, Any]
    failed: bool
    error: str
    events: int

    @property
    def ids(self) -> tuple[str, str]:
        """What refers to it: the ids of its trace and of itself."""
        return self.trace, self.id


class Collector:
    """A collector. hangs: whether it answers nothing any more. bodies: all that arrived."""

    def __init__(self) -> None:
        self.hangs = False
        self.bodies: list[bytes] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Its address, for OTEL_EXPORTER_OTLP_ENDPOINT."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Exported]:
        """The spans that arrived."""
        return [span for body in self.bodies for span in _spans(body)]

    def named(self, name: str) -> list[Exported]:
        """Return the spans with this name."""
        return [span for span in self.spans if span.name == name]

    def of_job(self, job: str) -> list[Exported]:
        """Return the spans of the runs of a job, in the order in which they ended."""
        return [span for span in self.spans if span.says.get("darkroom.job.id") == job]

    def below(self, parent: Exported) -> list[Exported]:
        """Return the spans below another one, at whatever depth."""
        children = [span for span in self.spans if (span.trace, span.parent) == parent.ids]
        return [*children, *(span for child in children for span in self.below(child))]

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split()[0])
                body = await reader.readexactly(length)
                assert head.startswith(f"post {PATH} "), head
                self.bodies.append(body)
                if self.hangs:
                    await asyncio.Event().wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """Run a collector while the block runs."""
    collector, connections = Collector(), set[asyncio.Task[None]]()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        await collector.answer(reader, writer)
        connections.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    collector.port = server.sockets[0].getsockname()[1]
    try:
        yield collector
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


def _spans(body: bytes) -> Iterator[Exported]:
    for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        service = _pairs(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield _exported(service, of_scope.scope.name, span)


def _exported(service: dict[str, Any], scope: str, span: Span) -> Exported:
    links = [(link.trace_id.hex(), link.span_id.hex()) for link in span.links]
    return Exported(
        service, scope, span.name, Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex(), links, _pairs(span.attributes),
        span.status.code == Status.STATUS_CODE_ERROR, span.status.message, len(span.events),
    )  # fmt: skip


def _pairs(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
