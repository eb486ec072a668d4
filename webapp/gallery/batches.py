"""The routes of batches: POST /batches, GET /batches/{batch_id}.json, the page of a batch and the composer's matrix."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import MediaType, Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect

from tasks.accounts.actors import Actor
from tasks.admission import batches
from tasks.admission.options import Options
from tasks.db.tables import ENDED, Batch
from tasks.errors import Rejected
from tasks.jobs import bulk
from tasks.library.cards import Card
from tasks.library.query import parse
from tasks.models.registry import Model
from tasks.replicate.client import Replicate
from tasks.settings import settings
from webapp.composer.form import after, chosen_model, compose, form_of, settings_query
from webapp.composer.matrix import Asked, Form, count, in_the_form
from webapp.gallery.batch_grid import laid_out
from webapp.http import rate_limit
from webapp.http.authentication import actor_of
from webapp.http.clients import by_htmx
from webapp.http.errors import BY_ACCEPT, Problem, wants_html, wants_json
from webapp.http.etag import NO_STORE, revalidated_json
from webapp.http.idempotency import REPLAYED, key_of, said
from webapp.http.methods import READ
from webapp.http.requests import RETRY_AFTER, Shape, body_of, terms_of
from webapp.listing.fragments import notice_fragment
from webapp.listing.query import Sheet
from webapp.render import templates
from webapp.render.numbers import prints
from webapp.schemas import batches as schemas
from webapp.schemas import describe, examples
from webapp.schemas.batches import SubmittedBatch
from webapp.schemas.codes import Code
from webapp.schemas.jobs import Job, SubmittedJob
from webapp.schemas.requests import GenerateBatch

AnyRequest = Request[Any, Any, Any]


@post(
    "/batches",
    status_code=202,
    name="submit_batch",
    tags=["Batches"],
    summary="Create a batch from a prompt matrix",
    responses=describe.problems(
        *describe.BODY,
        *describe.TERMS,
        *describe.ONCE,
        Code.INVALID_MODELS,
        Code.INVALID_SEEDS,
        Code.TOO_MANY,
        *describe.PROVIDER,
    )
    | {
        200: describe.answer(SubmittedBatch, "The request was repeated, and all its jobs have ended."),
        202: describe.answer(SubmittedBatch, "All jobs are queued.", examples.SUBMITTED_BATCH),
    },
    response_headers=[describe.REPLAYED, *describe.RATE_LIMIT],
    opt=describe.takes(GenerateBatch, examples.BATCH_REQUESTS, parameters=[describe.CLIENT, describe.IDEMPOTENCY_KEY]),
)
async def submit(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[SubmittedBatch]:
    r"""Create a job for every combination of a matrix. All jobs are in the database when this responds, or none is.

    Braces with a | in them, as in `{red|blue} fox in {snow|sand}`, hold alternatives: every combination of them is
    made, with every seed and every model. Other braces are text, and so are `\{`, `\|` and `\}`. Each combination is
    checked like a single request.
    """
    body, unknown = await body_of(request, GenerateBatch)
    terms = terms_of(body, request, key_of(request, said(body)))
    batch, jobs, replayed = await batches.submit(
        body.prompt, body.models, body.seeds, body.parameters, replicate, terms, unknown
    )
    shape = SubmittedBatch(batch.id, [SubmittedJob.of(job) for job in jobs])
    headers = await rate_limit.told(request) | (REPLAYED if replayed else {})
    if replayed and all(job.status in ENDED for job in jobs):
        return Response(shape, status_code=200, headers=headers)
    return _accepted(batch, shape, headers)


@post("/batches/count", status_code=200)
async def counted(request: AnyRequest) -> Response[str]:
    """Return how many prints the composer's matrix makes, while the user types it."""
    form = form_of((await request.form()).items())
    sentence, fits = count(form, chosen_model(form, settings.default_model))
    return templates.page("fragments/count.html", counted=sentence, fits=fits)


@route(
    "/batches/{batch_id:str}",
    http_method=READ,
    name="batch",
    tags=["Batches"],
    summary="Get a batch",
    response_headers=[describe.ETAG, describe.RETRY_AFTER],
    responses=describe.problems(Code.BATCH_NOT_FOUND)
    | {200: describe.answer(schemas.Batch, "The batch.", examples.BATCH)},
    opt=describe.takes(path="/batches/{batch_id}.json", parameters=[describe.BATCH_ID]),
)
async def shown(request: AnyRequest, batch_id: FromPath[str]) -> Response[Any]:
    """Return the page of a batch, or its JSON for programs: when they accept it, or when `.json` follows the id."""
    if wants_json(request):
        batch = await _existing(batch_id.removesuffix(".json"), actor_of(request))
        shape, unfinished = await _shape(batch)
        return revalidated_json(request.scope, shape, BY_ACCEPT | ({"Retry-After": RETRY_AFTER} if unfinished else {}))
    batch = await _existing(batch_id, actor_of(request))
    sheet = Sheet(parse(f"batch:{batch.id}"))
    live = sheet.stream()  # before the cards are read: what changes meanwhile arrives as an event
    return templates.page("pages/batch.html", headers=BY_ACCEPT, live=live, sheet=sheet, **await _context(batch))


@route("/batches/{batch_id:str}/progress", http_method=READ)
async def progress(request: AnyRequest, batch_id: FromPath[str]) -> Response[str]:
    """Return the progress of a batch, for its page."""
    batch = await _existing(batch_id, actor_of(request))
    return templates.page("fragments/batch.html", batch=batch, progress=await batches.progress(batch))


@route("/batches/{batch_id:str}/grid", http_method=READ)
async def grid(request: AnyRequest, batch_id: FromPath[str]) -> Response[str]:
    """Return the prints of a batch, for an open page that may have missed changes."""
    batch = await _existing(batch_id, actor_of(request))
    return templates.page(
        "fragments/grid.html", batch=batch, grid=laid_out(batches.axes(batch), await batches.prints(batch))
    )


@post(
    "/batches/{batch_id:str}/cancel",
    status_code=200,
    name="cancel_batch",
    tags=["Batches"],
    summary="Cancel the rest of a batch",
    responses=describe.problems(Code.CROSS_SITE, Code.BATCH_NOT_FOUND)
    | {
        200: describe.answer(schemas.Batch, "All jobs have ended."),
        202: describe.answer(schemas.Batch, "Some jobs are still being canceled."),
    },
    opt=describe.takes(parameters=[describe.BATCH_ID]),
)
async def cancel(request: AnyRequest, batch_id: FromPath[str]) -> Response[Any]:
    """Cancel the jobs of a batch that have not ended. Responds with 202 while workers still have jobs to stop.

    Idempotent. Browsers get HTML.
    """
    batch = await _existing(batch_id, actor_of(request))
    await bulk.cancel_batch(batch.id)
    if by_htmx(request):
        return templates.page("fragments/batch.html", batch=batch, progress=await batches.progress(batch))
    if wants_html(request):
        return Redirect(f"/batches/{batch.id}", status_code=303)
    shape, unfinished = await _shape(batch)
    return _accepted(batch, shape) if unfinished else Response(shape, headers=NO_STORE)


async def submit_matrix(asked: Asked, parameters: Mapping[str, Any], replicate: Replicate, terms: Options) -> Batch:
    """Submit the matrix in the composer's form. Raises Rejected, with faults at the form's fields, and Failure."""
    try:
        batch, _, _ = await batches.submit(asked.prompt, asked.models, asked.seeds, parameters, replicate, terms)
    except Rejected as rejected:
        raise in_the_form(rejected) from rejected
    return batch


async def matrix_sent(request: AnyRequest, batch: Batch, form: Form, model: Model | None) -> Response[Any]:
    """Return the response to the form: a redirect to the batch's page or, for htmx, the composer and a link to it.

    For htmx, an event makes the page empty the composer: js/matrix.js.
    """
    if not by_htmx(request):
        return Redirect(f"/batches/{batch.id}", status_code=303)
    kept = {name: values for name, values in after(form).items() if name not in ("seeds", "models")}
    html = templates.render("fragments/composer.html", composer=await compose(kept, model))
    words = f"Queued {prints(batch.jobs)}."
    html += notice_fragment(templates.render("components/queued.html", words=words, batch=batch))
    return Response(html, media_type=MediaType.HTML, headers={"HX-Trigger": "matrix:sent"})


async def _existing(batch_id: str, actor: Actor) -> Batch:
    """Return the batch with this id. Raises Problem when it does not exist, or not for the actor."""
    try:
        batch = await batches.find(UUID(batch_id), actor.sees_only)
    except ValueError:
        batch = None
    if batch is None:
        raise Problem(Code.BATCH_NOT_FOUND, "There is no such batch.")
    return batch


async def _context(batch: Batch) -> dict[str, Any]:
    cards, axes = await batches.prints(batch), batches.axes(batch)
    return {
        "batch": batch,
        "progress": await batches.progress(batch),
        "grid": laid_out(axes, cards),
        "use_again": f"/?{urlencode(_as_it_was_written(batch, axes, cards))}",
    }


def _as_it_was_written(batch: Batch, axes: list[dict[str, Any]], cards: list[Card]) -> list[tuple[str, str]]:
    """Return the fields of the query string that fills the composer with a batch's matrix."""
    first = next((card for card in cards if not card.deleted), cards[0])
    by_name = {axis["name"]: axis for axis in axes}
    seeds = by_name.get("seed")
    parameters = {name: value for name, value in first.parameters.items() if not (seeds and name == "seed")}
    models = by_name["model"]["values"] if "model" in by_name else [first.job.model]
    fields = [("prompt", batch.prompt), *settings_query(models[0], parameters)]
    fields += [("models", name) for name in models[1:]]
    if seeds:
        values = seeds["values"]
        fields.append(("seeds", str(len(values)) if seeds.get("random") else ", ".join(map(str, values))))
    return fields


async def _shape(batch: Batch) -> tuple[schemas.Batch, bool]:
    """Return a batch for programs, and whether any of its jobs still waits or runs."""
    cards, progress = await batches.prints(batch), await batches.progress(batch)
    shape = schemas.Batch(
        batch_id=batch.id,
        prompt=batch.prompt,
        axes=[schemas.Axis(**axis) for axis in batches.axes(batch)],
        created_at=batch.created_at,
        counts=schemas.Counts(**progress.counts, deleted=progress.deleted),
        jobs=[Job.of(card) for card in cards if not card.deleted],
    )
    return shape, progress.unfinished


def _accepted(batch: Batch, shape: Shape, more: Mapping[str, str] | None = None) -> Response[Shape]:
    headers = {"Location": f"/batches/{batch.id}", "Retry-After": RETRY_AFTER, **(more or {})}
    return Response(shape, status_code=202, headers=headers)


ROUTES = [submit, counted, shown, progress, grid, cancel]
