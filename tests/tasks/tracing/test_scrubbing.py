"""What leaves this machine in spans, whatever libraries put into them."""

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Status, StatusCode, set_span_in_context

from tasks.settings import settings
from tasks.tracing.scrubbing import MAX_SQL_LENGTH, Scrubbed


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


def exported(attributes: dict[str, Any], scope: str = "darkroom", below: bool = False) -> list[ReadableSpan]:
    """Record a span, and return what is exported. below: whether it is below another one."""
    inner = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(Scrubbed(inner)))
    context = set_span_in_context(provider.get_tracer("darkroom").start_span("parent")) if below else None
    with provider.get_tracer(scope).start_as_current_span("span", context) as span:
        span.set_attributes(attributes)
        span.record_exception(ValueError("a vixen"))
        span.set_status(Status(StatusCode.ERROR, "ValueError: a vixen"))
    return list(inner.get_finished_spans())


@pytest.mark.parametrize(
    ("sql", "sent"),
    [
        ("SELECT id FROM job WHERE prompt = $1", "SELECT id FROM job WHERE prompt = $1"),
        ("WHERE words @@ to_tsquery('simple', E'''vixen'':*')", "WHERE words @@ to_tsquery(?, ?)"),
        (r"WHERE a = E'vi\'xen' AND b = 'v' AND c LIKE '%\' ESCAPE '\'", "WHERE a = ? AND b = ? AND c LIKE ? ESCAPE ?"),
        ("WHERE a LIKE'vixen'", "WHERE a LIKE?"),
        ("WHERE a = 'vi\nxen''vixen'", "WHERE a = ?"),
        ("SELECT " + "?, " * 1000 + "'vixen'", ("SELECT " + "?, " * 1000)[:MAX_SQL_LENGTH]),
    ],
)
def test_sql_is_sent_without_texts(sql: str, sent: str) -> None:
    [span] = exported({"db.query.text": sql})
    assert span.attributes == {"db.query.text": sent}


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        (f"{settings.api_url}/predictions/x?vixen=1", f"{settings.api_url}/predictions/x"),
        ("https://me:vixen@replicate.delivery/vixen/out.png?sig=vixen#vixen", "https://replicate.delivery"),
        ("https://hooks.example.org:8443/vixen", "https://hooks.example.org:8443"),
    ],
    ids=["Replicate's API", "a file", "a webhook"],
)
def test_of_an_address_only_a_path_of_replicates_api_is_sent(url: str, sent: str) -> None:
    [span] = exported({"url.full": url})
    assert span.attributes == {"url.full": sent}


def test_what_is_not_listed_is_not_sent() -> None:
    [span] = exported(
        {"http.request.header.authorization": "vixen", "db.query.parameter.0": "vixen", "http.route": "/"}
    )
    assert span.attributes == {"http.route": "/"}


def test_of_an_error_only_the_code_is_sent() -> None:
    [with_code], [without] = exported({"error.type": "moderated"}), exported({})
    assert (with_code.status.status_code, with_code.status.description) == (StatusCode.ERROR, "moderated")
    assert (without.status.status_code, without.status.description) == (StatusCode.ERROR, None)
    assert with_code.events == without.events == ()


def test_a_call_of_a_library_is_sent_only_below_a_span_of_ours() -> None:
    library = "opentelemetry.instrumentation.redis"
    assert exported({}, library) == []
    assert [span.name for span in exported({}, library, below=True)] == ["span"]
