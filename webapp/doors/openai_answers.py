"""The answers of OpenAI's images API: finished jobs as images, and errors, in its shapes."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Request
from litestar.serialization import encode_json

from tasks.accounts.signed_addresses import sign_for
from tasks.db.database import now
from tasks.db.tables import ENDED, Output, Status
from tasks.files.storage import Storage
from tasks.library.cards import Card
from webapp.doors.openai_parameters import NAMES
from webapp.http.authentication import actor_of
from webapp.http.clients import site_of
from webapp.http.errors import Problem
from webapp.render.views import OutputView
from webapp.schemas.codes import Code

Json = dict[str, Any]

JOB_HEADER = "X-Darkroom-Job"
NOT_AGAIN = {"x-should-retry": "false"}
"""Tells the official client not to send the request again: it would be paid for again."""
CODES: Mapping[str, str] = {
    "moderated": "moderation_blocked",
    Code.MODEL_NOT_FOUND: "model_not_found",
    Code.UNKNOWN_MODEL: "model_not_found",
    **dict.fromkeys((Code.KEY_MISTYPED, Code.KEY_UNKNOWN, Code.KEY_REVOKED, Code.KEY_EXPIRED), "invalid_api_key"),
}
"""OpenAI's codes for ours. All others are our own."""
TYPES = {401: "authentication_error", 402: "insufficient_quota", 403: "permission_error", 429: "rate_limit_error"}
"""OpenAI's types of errors, by status. The other 4xx are invalid_request_error, the 5xx server_error."""
INPUT_CODES = ("invalid_input", "moderated")
"""Why a job fails because of what was requested."""


def error(problem: Problem) -> Json:
    """Return the body of the answer for a problem."""
    _, _, place = problem.faults[0].pointer.partition("/") if problem.faults else ("", "", "")
    name = place.removeprefix("parameters/").partition("/")[0]
    return _error(problem.status, problem.code, problem.detail, NAMES.get(name, name) or None)


def headers(cards: Sequence[Card]) -> dict[str, str]:
    """Return the headers that name the jobs."""
    return {JOB_HEADER: ", ".join(str(card.job.id) for card in cards)}


def failure(cards: Sequence[Card]) -> tuple[int, Json] | None:
    """Return the status and the body for jobs that have not all ended, or have all failed; None for others."""
    unfinished = [card.job for card in cards if card.job.status not in ENDED]
    if not unfinished and any(card.job.status == Status.COMPLETED for card in cards):
        return None
    job = (unfinished or [cards[0].job])[0]
    if unfinished:
        message = f"The job has not ended yet, and goes on: GET /status/{job.id} returns it."
        status, body = 504, _error(504, "job_not_ended", message)
    elif job.status == Status.FAILED:
        status = 400 if job.error_code in INPUT_CODES else 500
        body = _error(status, job.error_code or "", job.error or "")
    else:
        status, body = 409, _error(409, "job_canceled", "The job was canceled.")
    body["error"]["job_id"] = str(job.id)
    return status, body


def outputs(cards: Sequence[Card]) -> list[Output]:
    """Return the files of the completed ones of the jobs."""
    return [output for card in cards if card.job.status == Status.COMPLETED for output in card.outputs]


async def image(request: Request[Any, Any, Any], output: Output, as_url: bool, storage: Storage) -> Json:
    """Return an output as an image: by its address, or whole. A file that is no image has an address. Raises Failure.

    request: by which the program has reached us.
    """
    by_address = as_url or output.kind != "image"
    if not by_address:
        return {"b64_json": await _base64(output, storage), "job_id": str(output.job)}
    sign = await sign_for(actor_of(request).person)
    return {"url": site_of(request) + OutputView(output).url + sign(output.key), "job_id": str(output.job)}


def facts(output: Output) -> Json:
    """Return what is known of a file: its format, and its size if it has one."""
    size = {"size": f"{output.width}x{output.height}"} if output.width and output.height else {}
    return {"output_format": output.media_type.partition("/")[2], **size}


def event(name: str, data: Json) -> bytes:
    """Return a server-sent event."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode_json({"type": name, **data}))


def seconds_now() -> int:
    """Return the time in seconds since 1970."""
    return int(now().timestamp())


def _error(status: int, code: str, message: str, param: str | None = None) -> Json:
    kind = TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": CODES.get(code, str(code))}}


async def _base64(output: Output, storage: Storage) -> str:
    key = output.stored_key or output.key
    return b64encode(b"".join([piece async for piece in storage.read(key, 0, output.bytes)])).decode()
