"""The actions on a job, for forms and for programs: POST /jobs/{job_id}/cancel, front, retry and delete."""

from contextlib import suppress
from typing import Any

from litestar import MediaType, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts.actors import Actor
from tasks.admission.options import allow
from tasks.curation import trash
from tasks.db.request_tables import IdempotencyKey
from tasks.db.tables import ENDED, Status
from tasks.errors import Failure
from tasks.files.storage import Storage
from tasks.jobs import idempotency, lifecycle, tally
from tasks.jobs.idempotency import Key
from tasks.library.cards import Card
from webapp.http import rate_limit
from webapp.http.authentication import actor_of
from webapp.http.cancellation import canceled
from webapp.http.clients import by_htmx, came_from, page_of
from webapp.http.errors import Problem, wants_html
from webapp.http.idempotency import REPLAYED, key_of
from webapp.http.requests import accepted, existing
from webapp.listing.fragments import card_fragment, job_fragment, queue_context
from webapp.render import templates
from webapp.schemas import describe, examples
from webapp.schemas import jobs as schemas
from webapp.schemas.codes import Code

AnyRequest = Request[Any, Any, Any]


@post(
    "/jobs/{job_id:str}/cancel",
    status_code=200,
    tags=["Jobs"],
    summary="Cancel a job",
    responses=describe.problems(Code.CROSS_SITE, *describe.JOB)
    | {
        200: describe.answer(schemas.Job, "The job is canceled, or had already ended.", examples.DEQUEUED),
        202: describe.answer(schemas.Job, "A worker was asked to cancel it.", examples.REQUESTED),
    },
    opt=describe.takes(parameters=[describe.JOB_ID]),
)
async def cancel(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Cancel a job, and report the outcome. It is not an error to cancel too late: the job shows how it ended.

    Idempotent. `cancel` is the outcome: `dequeued` (the job is canceled, now or before), `requested` (202: the
    prediction at Replicate is being canceled; poll the status) or `too_late` (the job had ended otherwise). Browsers
    get HTML.
    """
    outcome, card = await canceled(job_id, actor_of(request))
    if for_people(request):
        return await shown(request, card)
    shape = schemas.Job.of(card)
    shape.cancel = outcome
    return accepted(card.job, shape) if outcome == "requested" else Response(shape)


@post(
    "/jobs/{job_id:str}/front",
    status_code=200,
    tags=["Jobs"],
    summary="Move a job to the front of the queue",
    responses=describe.problems(Code.CROSS_SITE, *describe.JOB, Code.NOT_WAITING)
    | {200: describe.answer(schemas.Job, "The job is the next to run.", examples.IN_FRONT)},
    opt=describe.takes(parameters=[describe.JOB_ID]),
)
async def to_front(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Have a waiting job run before all others, as long as no other one is moved before it.

    If a job of a higher priority is the next to run, it takes that priority. Browsers get HTML.
    """
    card = await existing(job_id, actor_of(request))
    moved = await lifecycle.move_to_front(card.job.id)
    card = await existing(job_id, actor_of(request))
    if for_people(request):
        return await shown(request, card)
    if moved is None:
        raise Problem(Code.NOT_WAITING, "This job does not wait for its turn.")
    return Response(schemas.Job.of(card))


@post(
    "/jobs/{job_id:str}/retry",
    status_code=200,
    tags=["Jobs"],
    summary="Retry a failed or canceled job",
    responses=describe.problems(
        Code.CROSS_SITE, *describe.JOB, *describe.ONCE, Code.IN_TRASH, Code.NOT_RETRYABLE, Code.QUEUE_FULL,
        *describe.HELD,
    )
    | {
        200: describe.answer(schemas.Job, "The job is already queued or running, or the request was repeated."),
        202: describe.answer(schemas.Job, "The job is queued again.", examples.QUEUED_AGAIN),
    },
    response_headers=[describe.REPLAYED, *describe.RATE_LIMIT],
    opt=describe.takes(parameters=[describe.JOB_ID, describe.IDEMPOTENCY_KEY]),
)  # fmt: skip
async def retry(request: AnyRequest, job_id: FromPath[str]) -> Response[Any]:
    """Put a failed or canceled job back in the queue. A job that waits or runs is left as it is.

    Its retry count and deadline start over. Browsers get HTML.
    """
    actor = actor_of(request)
    card = await existing(job_id, actor)
    allow(actor.models, [card.job.model])
    key = key_of(request)

    async def as_it_is(_: IdempotencyKey) -> tuple[bool, Card]:
        return False, await existing(job_id, actor)

    (again, card), replayed = await idempotency.once(key, lambda: _retried(card, actor, key), as_it_is)
    if for_people(request):
        return await shown(request, card)
    headers = await rate_limit.told(request)
    if replayed:
        headers |= REPLAYED
    elif card.job.trashed_at is not None:
        raise Problem(Code.IN_TRASH, "This job is in the trash. Restore it first.")
    elif card.job.status == Status.COMPLETED:
        raise Problem(Code.NOT_RETRYABLE, "This job is completed. There is nothing to retry.")
    waits, shape = card.job.status not in ENDED if replayed else again, schemas.Job.of(card)
    return accepted(card.job, shape, headers) if waits else Response(shape, headers=headers)


@post("/jobs/{job_id:str}/delete", status_code=200)
async def delete(request: AnyRequest, job_id: FromPath[str], storage: NamedDependency[Storage]) -> Response[Any]:
    """Delete an ended job and its files permanently. When storage is unavailable, a worker deletes the files later."""
    card = await existing(job_id, actor_of(request))
    if await lifecycle.delete(card.job.id) is None:
        raise Problem(Code.JOB_NOT_ENDED, "This job has not ended. Cancel it first.")
    with suppress(Failure):
        await trash.clear(storage, card.job.id)
    if not by_htmx(request):
        return Redirect("/", status_code=303)
    return Response("", media_type=MediaType.HTML, headers={"HX-Redirect": "/"})


async def _retried(card: Card, actor: Actor, key: Key | None) -> tuple[bool, Card]:
    """Retry a job. Return whether this made it wait again, and the job as it is afterwards."""
    while True:
        again = await lifecycle.retry(card.job.id, key) is not None
        card = await existing(str(card.job.id), actor)
        if again or card.job.status not in (Status.FAILED, Status.CANCELED) or card.job.trashed_at is not None:
            return again, card  # otherwise it ended just after the retry


def for_people(request: AnyRequest) -> bool:
    """Return whether the client is a browser, which gets HTML. A program gets JSON."""
    return by_htmx(request) or wants_html(request)


async def shown(request: AnyRequest, card: Card) -> Response[Any]:
    """Return the response that shows a job after an action: on its own page or in the gallery."""
    if not by_htmx(request):
        return Redirect(came_from(request), status_code=303)
    if in_queue(request):
        return await queue_as_changed()
    if page_of(request).path.startswith("/jobs/"):
        return Response(await job_fragment(card), media_type=MediaType.HTML)
    return Response(card_fragment(card), media_type=MediaType.HTML)


def in_queue(request: AnyRequest) -> bool:
    """Return whether the queue, which is then answered, requests an action of one of its jobs."""
    return request.headers.get("HX-Target") == "section#queue"


async def queue_as_changed() -> Response[str]:
    """Return the queue after an action of a user."""
    tally.forget()
    return templates.page("fragments/queue.html", **await queue_context())


ROUTES = [cancel, to_front, retry, delete]
