"""GET /jobs/{job_id}/events and /events.json: server-sent events of whole jobs, for programs.

A program that reconnects sends the id of the last event that it received as Last-Event-ID, or as `after`.
"""

from datetime import datetime
from typing import Any

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery
from litestar.types import ASGIApp

from tasks.db.tables import ENDED
from tasks.errors import Fault, Rejected
from tasks.library import moments
from webapp.http.authentication import actor_of
from webapp.http.event_stream import streamed
from webapp.http.requests import existing
from webapp.listing.query import read
from webapp.schemas import describe
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]

EVENT_STREAM = "text/event-stream"
LAST_EVENT_ID = describe.parameter(
    "Last-Event-ID", "header", "The id of the last event that was received.", describe.STRING
)
AFTER = describe.parameter("after", "query", "The same, for clients that cannot send the header.", describe.STRING)


@get(
    "/jobs/{job_id:str}/events",
    name="job_events",
    tags=["Jobs"],
    summary="Follow a job",
    responses=describe.problems(Code.INVALID_QUERY, *describe.JOB)
    | {
        200: describe.answer(str, "Events, each with a job (`Job`) as its data.", media_type=EVENT_STREAM),
        204: describe.answer(None, "The job has ended, and its last event was received."),
    },
    opt=describe.takes(parameters=[describe.JOB_ID, LAST_EVENT_ID, AFTER]),
)
async def of_job(request: AnyRequest, job_id: FromPath[str], after: FromQuery[str] = "") -> ASGIApp:
    """Stream a job as server-sent events, `event: job`: as it is, then after each change, until it has ended.

    A client that comes back after that gets 204, at which an EventSource stops.
    """
    actor = actor_of(request)
    card = await existing(job_id, actor)
    heard = _heard(request, after)
    if card.job.status in ENDED and heard == card.job.changed_at:
        return Response(None, status_code=204).to_asgi_response(app=None, request=request)
    return await streamed(request.app.state.hub.feeds.of_job(card, actor))


@get(
    "/events.json",
    name="search_events",
    tags=["Jobs"],
    summary="Follow a search",
    responses=describe.problems(Code.INVALID_QUERY)
    | {200: describe.answer(str, "Events, each with a job (`Job`) as its data.", media_type=EVENT_STREAM)},
    opt=describe.takes(parameters=[describe.SEARCH_QUERY, LAST_EVENT_ID, AFTER]),
)
async def of_search(request: AnyRequest, after: FromQuery[str] = "") -> ASGIApp:
    """Stream the jobs that a search finds as server-sent events, `event: job`, after each change.

    The stream begins with the newest of them or, for a client that comes back, with those that changed meanwhile. A job
    that the search no longer finds is not sent.
    """
    actor, heard = actor_of(request), _heard(request, after)
    sheet = read({"q": request.query_params.get("q", "")}, actor)
    return await streamed(request.app.state.hub.feeds.of_search(sheet, heard, actor))


def _heard(request: AnyRequest, after: str) -> datetime | None:
    """Return the moment of the last event that a client received, or None. Raises Rejected."""
    text = request.headers.get("Last-Event-ID") or after
    try:
        return moments.read(text) if text else None
    except ValueError:
        raise Rejected("invalid_query", [Fault("/after", "This is not the id of an event.")]) from None


ROUTES = [of_job, of_search]
