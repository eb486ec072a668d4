"""What people (HTML) and programs (problem+json, RFC 9457) are told when something goes wrong."""

import logging
import traceback
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from tasks.admission import Rejected
from tasks.backlog import QueueFull
from tasks.failures import DatabaseAway, Failure
from tasks.schemas import Fault
from webapp import pages

log = logging.getLogger(__name__)

FRAMES = 30  # the innermost ones of an error, which are logged
LONGEST_TRACEBACK = 10_000  # characters
LONGEST_PATH = 200  # characters of a request's path in the log

AnyRequest = Request[Any, Any, Any]

CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    415: "unsupported_media_type",
}
SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


@dataclass
class Problem(Exception):
    """Something to tell the one who asked.

    code: stable, for programs. detail: a sentence. faults: where in the request.
    """

    status: int
    code: str
    detail: str
    faults: list[Fault] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def json(self) -> dict[str, Any]:
        """As RFC 9457 has it, with our `code`, and a JSON Pointer (RFC 6901, as a URI fragment) to each fault."""
        shape: dict[str, Any] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.faults:
            shape["errors"] = [{"pointer": f"#{fault.pointer}", "detail": fault.message} for fault in self.faults]
        return shape


def not_found(code: str, detail: str) -> Problem:
    """Nothing there."""
    return Problem(404, code, detail)


def from_rejected(rejected: Rejected) -> Problem:
    """A request for a job that cannot be one."""
    return Problem(422, rejected.code, " ".join(fault.message for fault in rejected.faults), rejected.faults)


def from_failure(failure: Failure) -> Problem:
    """Replicate had to be asked, or a file to be read, and that was not possible."""
    return Problem(503, failure.code, failure.message, headers={"Retry-After": str(ceil(failure.retry_after or 5))})


def from_queue_full(full: QueueFull) -> Problem:
    """A request for jobs that there is no room for."""
    return Problem(429, "queue_full", full.message, headers={"Retry-After": str(full.retry_after)})


def wants_html(request: AnyRequest) -> bool:
    """Whether a browser asks, for a page."""
    return "text/html" in request.headers.get("Accept", "")


def answer(request: AnyRequest, problem: Problem) -> Response[Any]:
    """A problem, as HTML for those who ask for HTML, else as problem+json."""
    if not wants_html(request):
        return Response(
            problem.json(), status_code=problem.status, media_type="application/problem+json", headers=problem.headers
        )
    return pages.page(
        "error.html",
        problem.status,
        problem.headers,
        status=problem.status,
        title=HTTPStatus(problem.status).phrase,
        message=problem.detail,
    )


def _http_exception(request: AnyRequest, error: HTTPException) -> Response[Any]:
    status = error.status_code
    if status >= 500:
        return _unexpected(request, error)
    problem = Problem(
        status, CODES.get(status, "bad_request"), SENTENCES.get(status, error.detail), headers=dict(error.headers or {})
    )
    return answer(request, problem)


def in_a_line(error: Exception) -> str:
    """An error for the log, with what is behind it: that may tell of folders and buckets."""
    behind = str(error.__cause__ or "").partition("\n")[0]
    return f"{error} ({behind})" if behind else str(error)


def _failure(request: AnyRequest, failure: Failure) -> Response[Any]:
    log.warning("%s %s: %s", request.method, request.url.path, in_a_line(failure))
    return answer(request, from_failure(failure))


def _database_away(request: AnyRequest, away: DatabaseAway) -> Response[Any]:
    log.warning("%s %s: %s", request.method, request.url.path, away)
    detail = "The database does not answer at the moment. Please try again in a moment."
    return answer(request, Problem(503, "database_unavailable", detail, headers={"Retry-After": "2"}))


def _no_text(request: AnyRequest, error: UnicodeDecodeError) -> Response[Any]:
    """Nothing of ours is decoded but what was sent: what is in the database is text, and files are bytes."""
    return answer(request, Problem(400, "bad_request", "The request has bytes that are no text in UTF-8."))


def _unexpected(request: AnyRequest, error: Exception) -> Response[Any]:
    path = request.url.path[:LONGEST_PATH].encode("unicode_escape").decode()  # it may hold line breaks
    log.error("%s %s failed\n%s", request.method, path, _traceback(error), extra={"has_traceback": True})
    return answer(
        request, Problem(500, "internal_error", "Darkroom had an internal error. The operator finds it in the log.")
    )


def _traceback(error: Exception) -> str:
    """An error's traceback, without its middle where it is long: one may have a thousand frames, or a huge value."""
    told = "".join(traceback.format_exception(error, limit=-FRAMES))
    half = LONGEST_TRACEBACK // 2
    return told if len(told) <= LONGEST_TRACEBACK else f"{told[:half]}\n[...]\n{told[-half:]}"


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Problem: answer,
    Rejected: lambda request, rejected: answer(request, from_rejected(rejected)),
    QueueFull: lambda request, full: answer(request, from_queue_full(full)),
    Failure: _failure,
    DatabaseAway: _database_away,
    HTTPException: _http_exception,
    UnicodeDecodeError: _no_text,
    Exception: _unexpected,
}
