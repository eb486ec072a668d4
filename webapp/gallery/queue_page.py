"""/queue: what runs and what waits, in the order in which it runs; as a page, as a drawer's content, and as JSON.

And the pauses that users make, of the queue or of a model: the same as `darkroom halt` and `darkroom resume`.
"""

import re
from datetime import timedelta
from typing import Any

from litestar import MediaType, Response, post, route
from litestar.response import Redirect

from tasks.db.database import now
from tasks.jobs import pauses, tally
from tasks.messaging.broker import generate_later
from tasks.operations import pausing
from tasks.replicate import circuit
from tasks.settings import settings
from webapp.http.authentication import actor_of, requester
from webapp.http.clients import by_htmx, came_from
from webapp.http.errors import BY_ACCEPT, AnyRequest, wants_html, wants_json
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import body_of
from webapp.listing.fragments import halt_fragment, listed_cards, queue_context
from webapp.listing.query import read
from webapp.render import halt_banner, templates
from webapp.schemas import describe, examples
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job, PausedModel, Queue
from webapp.schemas.members import given
from webapp.schemas.requests import Pause, Resume

FOUND = {200: describe.answer(Queue, "What runs and what waits.", examples.QUEUE)}
ANSWERS = describe.problems(*describe.BODY, Code.BAD_REQUEST, Code.TOO_MANY_FIELDS) | FOUND
"""What a pause, and its end, are answered with."""


@route(
    ["/queue", "/queue.json"],
    http_method=READ,
    name="queue",
    tags=["Jobs"],
    summary="Get the queue",
    response_headers=[describe.ETAG],
    responses=describe.problems() | FOUND,
    opt=describe.takes(path="/queue.json"),
)
async def queue(request: AnyRequest) -> Response[Any]:
    """Return how many jobs run and wait, and the first of them in the order in which they run."""
    if wants_json(request):
        return revalidated_json(request.scope, await _shape(), BY_ACCEPT)
    if by_htmx(request):
        return templates.page("fragments/queue.html", headers={"Vary": "HX-Request"}, **await queue_context())
    live = read({"q": "status:queued"}, actor_of(request)).stream()
    page = templates.page("pages/queue.html", headers=BY_ACCEPT, live=live, **await queue_context())
    return revalidated(request, page)


@post(
    "/queue/pause",
    status_code=200,
    name="pause_queue",
    tags=["Jobs"],
    summary="Pause the queue or a model",
    responses=ANSWERS,
    opt=describe.takes(Pause, examples.PAUSES),
)
async def pause(request: AnyRequest) -> Response[Any]:
    """Create no predictions of any model, or of one, until they are resumed or a time has come. What runs goes on.

    Needs the scope `operate`.
    """
    await pausing.hold(await _asked(request, Pause), requester(request))
    return await _answer(request)


@post(
    "/queue/resume",
    status_code=200,
    name="resume_queue",
    tags=["Jobs"],
    summary="Resume the queue or a model",
    responses=ANSWERS,
    opt=describe.takes(Resume, examples.RESUMES),
)
async def resume(request: AnyRequest) -> Response[Any]:
    """Lift a pause of the queue, or of a model. Does nothing where there is none.

    Needs the scope `operate`. A halt because Replicate is away, or refuses the account, ends by itself.
    """
    asked, by = await _asked(request, Resume), requester(request)
    await (pausing.lift_model(asked.model, by) if asked.model else pausing.lift(by))
    generate_later(settings.worker_concurrency)
    return await _answer(request)


async def _shape() -> Queue:
    counted, halt = await tally.current(), await circuit.current()
    running, waiting = await listed_cards()
    last_start = counted.last_start.replace(microsecond=0) if counted.last_start else None
    return Queue(
        running=counted.running, waiting=counted.waiting, estimated_last_start=given(last_start),
        halted=given(halt.message if halt else None),
        paused=given([PausedModel.of(each) for each in await pauses.listed()] or None),
        jobs=[Job.of(card) for card in [*running, *waiting]],
    )  # fmt: skip


async def _asked(request: AnyRequest, shape: type[Pause | Resume]) -> pauses.Terms:
    """Return what a form or a program asks for. Raises Problem, and Rejected."""
    if request.content_type[0] == "application/json":
        body, faults = await body_of(request, shape)
        return pauses.read(body.model, getattr(body, "reason", None), getattr(body, "until", None), faults)
    form = await request.form()
    minutes = str(form.get("minutes") or "")
    until = (now() + timedelta(minutes=int(minutes))).isoformat() if re.fullmatch(r"[1-9]\d{0,4}", minutes) else None
    return pauses.read(form.get("model") or None, form.get("reason") or None, until)


async def _answer(request: AnyRequest) -> Response[Any]:
    await halt_banner.look()
    if not by_htmx(request) and not wants_html(request):
        return Response(await _shape())
    if not by_htmx(request):
        return Redirect(came_from(request), status_code=303)
    return Response(
        templates.render("fragments/queue.html", **await queue_context()) + halt_fragment(), media_type=MediaType.HTML
    )


ROUTES = [queue, pause, resume]
