"""Error responses: HTML for people, problem+json (RFC 9457) for programs."""

import logging
from dataclasses import dataclass, field
from http import HTTPStatus
from math import ceil
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import ExceptionHandlersMap

from tasks.accounts.actors import Actor
from tasks.errors import DatabaseAway, Failure, Fault, Rejected
from tasks.jobs.backlog import QueueFull
from tasks.jobs.holds import BudgetExceeded
from tasks.jobs.idempotency import KeyMismatch
from tasks.jobs.needs import NotHeld
from webapp.http import request_ids
from webapp.http.credentials import key_in
from webapp.render import templates
from webapp.schemas.codes import Code
from webapp.schemas.money import BudgetState
from webapp.schemas.problems import PROBLEM_TYPE, ProblemDetails

log = logging.getLogger(__name__)

MAX_PATH_LENGTH = 200  # characters of a request's path in the log

AnyRequest = Request[Any, Any, Any]

CODES = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED, 415: Code.UNSUPPORTED_MEDIA_TYPE}
"""The codes of Litestar's own errors, by status. All others are BAD_REQUEST."""
BY_ACCEPT = {"Vary": "Accept"}
"""The header of a response that is a page or JSON, depending on what the client accepts (RFC 9110, section 12.5.5)."""
MISMATCH = "This Idempotency-Key was sent with another request before. Use a new one for each request."
SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not support this method.",
}


@dataclass
class Problem(Exception):
    """An error to report to the client.

    detail: a sentence. faults: the errors, each with its place in the request. other_status: the HTTP status, if it is
    not the usual one of the code. budget: the one that has no room.
    """

    code: Code
    detail: str
    faults: list[Fault] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    other_status: int | None = None
    budget: BudgetState | None = None

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.other_status or self.code.status

    def details(self) -> ProblemDetails:
        """Return the shape that programs get."""
        own = request_ids.current()
        return ProblemDetails.of(self.code, self.detail, self.status, self.faults, self.budget, own)


def from_rejected(rejected: Rejected) -> Problem:
    """Return the problem for a request that cannot become a job."""
    return Problem(Code.of(rejected.code), " ".join(fault.message for fault in rejected.faults), rejected.faults)


def from_failure(failure: Failure) -> Problem:
    """Return the problem for a failed request to Replicate, or for a file that could not be read."""
    headers = {"Retry-After": str(ceil(failure.retry_after or 5))}
    return Problem(Code.of(failure.code), failure.message, headers=headers, other_status=503)


def from_queue_full(full: QueueFull) -> Problem:
    """Return the problem for a request for jobs that the queue has no room for."""
    return Problem(Code.QUEUE_FULL, full.message, headers={"Retry-After": str(full.retry_after)})


def from_not_held(request: AnyRequest, error: NotHeld) -> Problem:
    """Return the problem for jobs for which no money can be held."""
    if isinstance(error, BudgetExceeded):
        state = BudgetState.of(error.budget, request.scope["state"]["actor"], error.needs)
        return Problem(Code.BUDGET_EXCEEDED, error.message, budget=state)
    return Problem(Code.PRICE_UNKNOWN, error.message)


def with_key(request: AnyRequest) -> bool:
    """Return whether a request shows a key: then a program sends it, whatever it accepts.

    Its header says so where nobody knows the actor: the key does not work, or there is nothing at the address.
    """
    actor = request.scope["state"].get("actor")
    if isinstance(actor, Actor):
        return actor.key is not None
    return bool(key_in(request.headers.get("Authorization", "")))


def wants_html(request: AnyRequest) -> bool:
    """Return whether a browser requests a page."""
    return "text/html" in request.headers.get("Accept", "") and not with_key(request)


def wants_json(request: AnyRequest) -> bool:
    """Return whether a program requests JSON at an address that has a page, too, or one that ends with .json."""
    if request.url.path.endswith(".json"):
        return True
    accepts = "application/json" in request.headers.get("Accept", "") and not wants_html(request)
    return accepts or with_key(request)


def answer(request: AnyRequest, problem: Problem) -> Response[Any]:
    """Return the response for a problem: in the words of the door that was asked, else HTML or problem+json."""
    for path, words in request.app.state.get("doors", {}).items():
        if request.scope["path"].startswith(path):
            return Response(words(problem), status_code=problem.status, headers=problem.headers)
    headers = {**problem.headers, **BY_ACCEPT}
    if not wants_html(request):
        return Response(problem.details(), status_code=problem.status, media_type=PROBLEM_TYPE, headers=headers)
    return templates.page(
        "pages/error.html",
        problem.status,
        headers,
        status=problem.status,
        title=HTTPStatus(problem.status).phrase,
        message=problem.detail,
        request_id=request_ids.current() if problem.code == Code.INTERNAL_ERROR else None,
    )


def problem_of(request: AnyRequest, error: Exception) -> Problem:
    """Return the problem to tell a client of, and log what the operator should know."""
    match error:
        case Problem():
            return error
        case Rejected():
            return from_rejected(error)
        case NotHeld():
            return from_not_held(request, error)
        case QueueFull():
            return from_queue_full(error)
        case KeyMismatch():
            return Problem(Code.IDEMPOTENCY_MISMATCH, MISMATCH)
        case Failure():
            log.warning("%s %s: %s", request.method, request.url.path, in_a_line(error))
            return from_failure(error)
        case DatabaseAway():
            log.warning("%s %s: %s", request.method, request.url.path, error)
            detail = "The database is not responding. Try again in a moment."
            return Problem(Code.DATABASE_UNAVAILABLE, detail, headers={"Retry-After": "2"})
        case HTTPException() if error.status_code < 500:
            status = error.status_code
            code, detail = CODES.get(status, Code.BAD_REQUEST), SENTENCES.get(status, error.detail)
            return Problem(code, detail, headers=dict(error.headers or {}), other_status=status)
        case UnicodeDecodeError():
            # The bytes came from the client. Only requests are decoded: the database holds text, and files are bytes.
            return Problem(Code.BAD_REQUEST, "The request contains bytes that are not UTF-8 text.")
    log.error("%s %s failed", request.method, request.url.path[:MAX_PATH_LENGTH], exc_info=error)
    return Problem(Code.INTERNAL_ERROR, "Darkroom had an internal error. The operator can find it in the log.")


def in_a_line(error: Exception) -> str:
    """Return an error with its cause, for the log: the cause may name folders and buckets."""
    behind = str(error.__cause__ or "").partition("\n")[0]
    return f"{error} ({behind})" if behind else str(error)


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Exception: lambda request, error: answer(request, problem_of(request, error))
}
