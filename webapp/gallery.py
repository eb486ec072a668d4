"""The gallery: its pages, its form, and the fragments that htmx asks for."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, Response, post, route
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from tasks import admission, library, models
from tasks.admission import Rejected, admit
from tasks.database import now
from tasks.failures import Failure
from tasks.models import Model
from tasks.replicate import Replicate
from tasks.schemas import Fault
from tasks.settings import settings
from tasks.storage import Storage
from webapp import pages
from webapp.api import existing
from webapp.composer import Composer, after, chosen_model, compose, fitting, made_from, typed_parameters
from webapp.fragments import PAGE, card_fragment, job_context, sheet_context
from webapp.methods import READ
from webapp.uploads import MAX_BODY, Form, received
from webapp.visitors import by_htmx, client_of, keep_session

AnyRequest = Request[Any, Any, Any]
HTML = "text/html; charset=utf-8"


@route("/", http_method=READ)
async def gallery(
    request: AnyRequest, replicate: NamedDependency[Replicate], before: FromQuery[UUID | None] = None
) -> Response[str]:
    """The composer above a page of cards; for htmx, which scrolls, the cards alone."""
    if before is not None and by_htmx(request):
        return pages.page("partials/sheet.html", **sheet_context(await library.newest(PAGE, before)))
    page = await _gallery_page(await _filled_in(_query(request), replicate), before)
    keep_session(request, page)
    return page


@route("/composer", http_method=READ)
async def controls(request: AnyRequest, replicate: NamedDependency[Replicate]) -> Response[str]:
    """The controls of the model that was just chosen."""
    return pages.page("partials/controls.html", composer=await _filled_in(_query(request), replicate, anew=True))


@post("/jobs", status_code=200, request_max_body_size=MAX_BODY)
async def submit(
    request: AnyRequest, replicate: NamedDependency[Replicate], storage: NamedDependency[Storage]
) -> Response[Any]:
    """What the composer sends: a new card, or the composer again with what is wrong."""
    client, (form, unfit) = client_of(request), await received(request, storage)
    prompt = (form.get("prompt") or [""])[-1].replace("\r\n", "\n")  # HTML sends every line break as CRLF
    name = chosen_model(form, settings.default_model)
    try:
        model = await _model(name, replicate)
        parameters = typed_parameters(form, model) if model else {}
        if unfit:
            raise Rejected("invalid_parameters", unfit)
        job = await admit(prompt, name, parameters, replicate, client=client, made_from=made_from(form))
    except (Rejected, Failure) as error:
        return await _refused(request, form, replicate, error)
    if not by_htmx(request):
        return Redirect("/", status_code=303)
    composer = pages.render("partials/composer.html", composer=await compose(after(form), model))
    return Response(composer + card_fragment(await existing(str(job.id))), media_type=HTML)


@route("/jobs/{job_id:str}", http_method=READ)
async def job_page(job_id: FromPath[str]) -> Response[str]:
    """The page of one job."""
    card = await existing(job_id)
    return pages.page("job.html", live=f"/events?job={card.job.id}", **await job_context(card))


async def _refused(request: AnyRequest, form: Form, replicate: Replicate, error: Rejected | Failure) -> Response[str]:
    faults = error.faults if isinstance(error, Rejected) else [Fault("/model", error.message)]
    status = 422 if isinstance(error, Rejected) else 503
    composer = await _filled_in(form, replicate, faults)
    if by_htmx(request):
        return pages.page("partials/composer.html", status, composer=composer)
    return await _gallery_page(composer, None, status)


async def _gallery_page(composer: Composer, before: UUID | None, status: int = 200) -> Response[str]:
    moment = now()  # taken before the cards are read: what changes meanwhile comes as an event
    return pages.page(
        "gallery.html",
        status,
        composer=composer,
        newer=before is not None,
        live=f"/events?{urlencode({'since': moment.isoformat()})}",
        **sheet_context(await library.newest(PAGE, before)),
    )


async def _filled_in(
    form: Form, replicate: Replicate, faults: list[Fault] | None = None, anew: bool = False
) -> Composer:
    """The composer with what a form or an address holds, and a fault where it names a model that is none.

    anew: the model was just chosen, and what the one before took need not suit it.
    """
    name = chosen_model(form, settings.default_model)
    try:
        model = await _model(name, replicate)
    except Failure as failure:
        model, faults = None, faults or [Fault("/model", failure.message)]
    if model is None and name and not faults:
        faults = [Fault("/model", f"Replicate has no model {name}.")]
    return await compose(fitting(form, model) if anew else form, model, faults or [])


async def _model(name: str, replicate: Replicate) -> Model | None:
    return await models.find(name, replicate) if admission.is_model_name(name) else None


def _query(request: AnyRequest) -> Form:
    return {name: request.query_params.getall(name) for name in request.query_params}


ROUTES = [gallery, controls, submit, job_page]
