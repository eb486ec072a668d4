"""What leaves this machine in spans: what is listed here, and no secret, no prompt and no address of a file.

Libraries record more than we want, and other things with each version: whole addresses, headers if a variable says so,
the texts of exceptions. So all spans come by here, off the event loop. What is not known to be harmless is left out.
"""

import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Status, StatusCode

from tasks.settings import settings
from tasks.tracing.recorder import SCOPE

URL = "url.full"
SQL = "db.query.text"
ERROR = "error.type"
SENT = frozenset({
    "darkroom.attempt", "darkroom.cost_micros", "darkroom.job.id", "darkroom.owner",
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.request.seed",
    "gen_ai.response.id", "http.request.method", "http.response.status_code", "http.route",
    "server.address", "server.port", "db.system.name", ERROR, SQL, URL,
})  # fmt: skip
"""The names of the attributes that are sent."""
LITERAL = re.compile(r"\bE'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'", re.IGNORECASE | re.DOTALL)
"""A text in SQL. Almost all values have placeholders, but not the words of a search (tasks/db/full_text.py)."""
MAX_SQL_LENGTH = 2000  # characters


class Scrubbed(SpanExporter):
    """An exporter that passes scrubbed spans on to another.

    A call of a library that belongs to nothing of ours, such as a worker's look for work, is left out.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export spans."""
        sent = [scrubbed(span) for span in spans if span.parent is not None or _is_ours(span)]
        return self._exporter.export(sent) if sent else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Export nothing any more."""
        self._exporter.shutdown()


def scrubbed(span: ReadableSpan) -> ReadableSpan:
    """Return a span with nothing but what may be sent: no events, because those are exceptions with their texts."""
    said = {name: value for name, value in (span.attributes or {}).items() if name in SENT}
    if URL in said:
        said[URL] = _place(str(said[URL]))
    if SQL in said:
        said[SQL] = LITERAL.sub("?", str(said[SQL]))[:MAX_SQL_LENGTH]
    failed = span.status.status_code is StatusCode.ERROR
    return ReadableSpan(
        span.name, span.context, span.parent, span.resource, said, links=span.links, kind=span.kind,
        status=Status(StatusCode.ERROR, str(said[ERROR]) if ERROR in said else None) if failed else span.status,
        start_time=span.start_time, end_time=span.end_time, instrumentation_scope=span.instrumentation_scope,
    )  # fmt: skip


def _place(url: str) -> str:
    """Return the part of an address that is no secret. The path of a file, or of a webhook, may be one."""
    parts = urlsplit(url)
    path = parts.path if url.startswith(f"{settings.api_url}/") else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path}"


def _is_ours(span: ReadableSpan) -> bool:
    return span.instrumentation_scope is not None and span.instrumentation_scope.name == SCOPE
