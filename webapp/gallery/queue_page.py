"""/queue: what runs and what waits, in the order in which it runs; as a page, as a drawer's content, and as JSON.

And the halt that only a user lifts: the same as `darkroom halt` and `darkroom resume`.
"""

from typing import Any

from litestar import MediaType, Response, post, route
from litestar.response import Redirect

from tasks.accounts import audit
from tasks.jobs import tally
from tasks.replicate import circuit
from webapp.http.authentication import actor_of, requester
from webapp.http.clients import by_htmx, came_from
from webapp.http.errors import BY_ACCEPT, AnyRequest, wants_json
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.listing.fragments import halt_fragment, listed_cards, queue_context
from webapp.listing.query import read
from webapp.render import halt_banner, templates
from webapp.schemas import describe, examples
from webapp.schemas.jobs import Job, Queue
from webapp.schemas.members import given


@route(
    ["/queue", "/queue.json"],
    http_method=READ,
    name="queue",
    tags=["Jobs"],
    summary="Get the queue",
    response_headers=[describe.ETAG],
    responses=describe.problems() | {200: describe.answer(Queue, "What runs and what waits.", examples.QUEUE)},
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


@post("/queue/pause", status_code=200)
async def pause(request: AnyRequest) -> Response[Any]:
    """Halt the queue. What runs goes on."""
    await circuit.hold_by_hand()
    await audit.note(requester(request), "queue halted", "queue")
    return await _answer(request)


@post("/queue/resume", status_code=200)
async def resume(request: AnyRequest) -> Response[Any]:
    """Lift a halt that only a user lifts."""
    if lifted := await circuit.resume():
        await audit.note(requester(request), "queue resumed", "queue", before={"halted": lifted.message})
    return await _answer(request)


async def _shape() -> Queue:
    counted, halt = await tally.current(), await circuit.current()
    running, waiting = await listed_cards()
    last_start = counted.last_start.replace(microsecond=0) if counted.last_start else None
    return Queue(
        running=counted.running, waiting=counted.waiting, estimated_last_start=given(last_start),
        halted=given(halt.message if halt else None), jobs=[Job.of(card) for card in [*running, *waiting]],
    )  # fmt: skip


async def _answer(request: AnyRequest) -> Response[Any]:
    await halt_banner.look()
    if not by_htmx(request):
        return Redirect(came_from(request), status_code=303)
    return Response(
        templates.render("fragments/queue.html", **await queue_context()) + halt_fragment(), media_type=MediaType.HTML
    )


ROUTES = [queue, pause, resume]
