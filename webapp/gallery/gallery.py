"""The gallery: its pages, its form, and the fragments that htmx requests."""

from typing import Any

from litestar import MediaType, Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect
from markupsafe import escape

from tasks.admission import admission
from tasks.admission.admission import admit
from tasks.db.tables import Batch, Job
from tasks.errors import Failure, Fault, Rejected
from tasks.files.decoder_pool import DecoderPool
from tasks.files.storage import Storage
from tasks.jobs.backlog import QueueFull
from tasks.jobs.needs import NotHeld
from tasks.models import registry
from tasks.replicate.client import Replicate
from tasks.settings import settings
from webapp.composer.estimate import estimate
from webapp.composer.form import (
    Composer,
    after,
    chosen_model,
    compose,
    fitting,
    form_of,
    made_from,
    typed_parameters,
)
from webapp.composer.matrix import Form, asked_for
from webapp.composer.presets import GONE, filled_in
from webapp.composer.sizes import with_size
from webapp.composer.uploads import MAX_BODY, TOO_LARGE, received
from webapp.gallery.batches import matrix_sent, submit_matrix
from webapp.gallery.lightbox import neighbors_context
from webapp.http.authentication import actor_of
from webapp.http.clients import by_htmx, keep_session
from webapp.http.errors import (
    BY_ACCEPT,
    from_failure,
    from_not_held,
    from_queue_full,
    from_rejected,
    wants_json,
)
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import existing, model_named, terms_for
from webapp.http.zones import zone_of
from webapp.listing.fragments import card_fragment, found_fragment, job_context, prints_context, sheet_context
from webapp.listing.query import APPENDED, read_page
from webapp.render import templates
from webapp.schemas import jobs as schemas

AnyRequest = Request[Any, Any, Any]
OF_HTMX = {"Vary": "HX-Request"}


@route("/", http_method=READ)
async def gallery(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[str]:
    """Return the gallery page. When htmx scrolls or searches, only what changes."""
    query, actor, zone = request.query_params, actor_of(request), zone_of(request)
    if by_htmx(request):
        if request.headers.get("HX-Target") in ("p#newer", "p#older"):
            context = await sheet_context(read_page(query, actor, zone), APPENDED, appended=True)
            return templates.page("fragments/sheet.html", headers=OF_HTMX, **context)
        return Response(await found_fragment(query, actor, zone), media_type=MediaType.HTML, headers=OF_HTMX)
    composer, prints = await _filled_in(_query(request), replicate), await prints_context(query, actor, zone)
    page = revalidated(
        request, templates.page("pages/gallery.html", composer=composer, **prints), but=escape(prints["live"])
    )
    keep_session(request, page)
    return page


@route("/composer", http_method=READ)
async def controls(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[str]:
    """Return the composer's controls for the model that was just chosen."""
    return templates.page(
        "fragments/controls.html", composer=await _filled_in(_query(request), replicate, model_changed=True)
    )


@post("/composer/estimate", status_code=200)
async def estimated(request: AnyRequest) -> Response[str]:
    """Return what the composer's form is expected to cost, while the user fills it in."""
    form = form_of((await request.form()).items())
    name = chosen_model(form, settings.default_model)
    model = await registry.stored(name) if admission.is_model_name(name) else None
    expected = await estimate(form, model, typed_parameters(form, model) if model else {})
    return templates.page("fragments/estimate.html", estimate=expected)


@post("/jobs", status_code=200, request_max_body_size=MAX_BODY, opt=TOO_LARGE)
async def submit(
    request: AnyRequest,
    replicate: NamedDependency[Replicate],
    storage: NamedDependency[Storage],
    decoders: NamedDependency[DecoderPool],
) -> Response[Any]:
    """Submit the composer's form as a job or, for a matrix, as a batch.

    Returns the new card or, when the form is refused, the composer with the faults and without its files.
    """
    sent = await received(request, storage, decoders)
    form = sent.form
    name = chosen_model(form, settings.default_model)
    try:
        async with sent:
            model = await model_named(name, replicate)
            parameters = typed_parameters(form, model) if model else {}
            if sent.faults:
                raise Rejected("invalid_parameters", sent.faults)
            matrix, terms = asked_for(form, name), terms_for(request, made_from=made_from(form))
            made: Batch | Job
            if matrix.several:
                made = await submit_matrix(matrix, parameters, replicate, terms)
            else:
                made, _ = await admit(matrix.plain, name, parameters, replicate, terms)
    except (Rejected, QueueFull, NotHeld, Failure) as error:
        return await _refused(request, sent.typed, replicate, error)
    if isinstance(made, Batch):
        return await matrix_sent(request, made, form, model)
    if not by_htmx(request):
        return Redirect("/", status_code=303)
    composer = templates.render("fragments/composer.html", composer=await compose(after(form), model))
    return Response(
        composer + card_fragment(await existing(str(made.id), actor_of(request))), media_type=MediaType.HTML
    )


@route("/jobs/{job_id:str}", http_method=READ)
async def job_page(
    request: AnyRequest, job_id: FromPath[str], q: FromQuery[str] = "", sort: FromQuery[str] = ""
) -> Response[Any]:
    """Return the page of one job, with links to its neighbors in the grid that it was opened from, or its JSON."""
    card = await existing(job_id, actor_of(request))
    if wants_json(request):
        return revalidated_json(request.scope, schemas.Job.of(card), BY_ACCEPT)
    neighbors = await neighbors_context(card, q, sort, actor_of(request))
    page = templates.page(
        "pages/job.html", headers=BY_ACCEPT, live=f"/events?job={card.job.id}", **await job_context(card), **neighbors
    )
    return revalidated(request, page)


async def _refused(
    request: AnyRequest, form: Form, replicate: Replicate, error: Rejected | QueueFull | NotHeld | Failure
) -> Response[str]:
    match error:
        case Rejected():
            problem, faults = from_rejected(error), error.faults
        case NotHeld():
            problem, faults = from_not_held(request, error), [Fault("", error.message)]
        case QueueFull():
            problem, faults = from_queue_full(error), [Fault("", error.message)]
        case _:
            problem, faults = from_failure(error), [Fault("/model", error.message)]
    composer = await _filled_in(form, replicate, faults)
    if by_htmx(request):
        return templates.page("fragments/composer.html", problem.status, problem.headers, composer=composer)
    prints = await prints_context({}, actor_of(request), zone_of(request))
    return templates.page("pages/gallery.html", problem.status, problem.headers, composer=composer, **prints)


async def _filled_in(
    form: Form, replicate: Replicate, faults: list[Fault] | None = None, model_changed: bool = False
) -> Composer:
    """Return the composer filled in from a form or an address, with a fault when the named model does not exist.

    model_changed: the model was just chosen, so the parameters of the previous model may not fit it.
    """
    if "preset" in form:
        preset = await filled_in(form)
        form, faults = (form, [Fault("", GONE)]) if preset is None else (preset, faults)
    form = with_size(form)
    name = chosen_model(form, settings.default_model)
    try:
        model = await model_named(name, replicate)
    except Failure as failure:
        model, faults = None, faults or [Fault("/model", failure.message)]
    if model is None and name and not faults:
        faults = [Fault("/model", f"Replicate has no model {name}.")]
    return await compose(fitting(form, model) if model_changed else form, model, faults or [])


def _query(request: AnyRequest) -> Form:
    return form_of(request.query_params.items())


ROUTES = [gallery, controls, estimated, submit, job_page]
