"""GET /models and /models/{owner}/{name}: which models there are, and what each takes, as pages and for programs."""

from typing import Any

from litestar import Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath

from tasks.curation import presets
from tasks.library import cards as library
from tasks.library import showcase
from tasks.models import registry
from tasks.models.registry import Model
from tasks.replicate.client import Replicate
from webapp.http.errors import BY_ACCEPT, AnyRequest, wants_html
from webapp.http.etag import revalidated, revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import existing_model
from webapp.models import cards
from webapp.models.inputs import inputs
from webapp.models.preset_views import PresetView
from webapp.render import templates
from webapp.render.views import CardView
from webapp.schemas import describe
from webapp.schemas import library as schemas
from webapp.schemas.codes import Code

LATEST = 12  # prints on the page of a model


@route(
    "/models",
    http_method=READ,
    tags=["Models"],
    summary="List the models",
    response_headers=[describe.ETAG],
    responses=describe.problems() | {200: describe.answer(schemas.ModelList, "The models.")},
)
async def models(request: AnyRequest) -> Response[Any]:
    """Return the models to choose from: the built-in ones, then those that were added, or that jobs have used.

    Browsers get a page.
    """
    if wants_html(request):
        return revalidated(request, await shelf_page())
    listed = [schemas.Model.of(model) for model in await registry.known()]
    return revalidated_json(request.scope, schemas.ModelList(listed), BY_ACCEPT)


@route(
    "/models/{owner:str}/{name:str}",
    http_method=READ,
    tags=["Models"],
    summary="Get a model",
    response_headers=[describe.ETAG],
    responses=describe.problems(Code.MODEL_NOT_FOUND, *describe.PROVIDER)
    | {200: describe.answer(schemas.ModelInFull, "The model.")},
)
async def model(
    request: AnyRequest, owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[Any]:
    """Return a model on Replicate with the schema of its input and the defaults in it. Browsers get a page."""
    found = await existing_model(f"{owner}/{name}", replicate)
    if wants_html(request):
        return revalidated(request, await model_page(found))
    return revalidated_json(request.scope, schemas.ModelInFull.whole(found), BY_ACCEPT)


async def shelf_page(fault: str = "", address: str = "") -> Response[str]:
    """Return the page of all models. fault: why the model at this address was not added."""
    return templates.page(
        "pages/models.html", 422 if fault else 200, BY_ACCEPT, shelf=await cards.shelf(), fault=fault, address=address
    )


async def model_page(found: Model, fault: str = "", of: str = "") -> Response[str]:
    """Return the page of a model. fault: why the preset with the id `of` was not renamed."""
    latest = await library.by_ids(await showcase.latest(found.name, LATEST))
    return templates.page(
        "pages/model.html",
        422 if fault else 200,
        BY_ACCEPT,
        card=await cards.card(found),
        inputs=list(inputs(found)),
        presets=[PresetView(row) for row in await presets.of_model(found.name)],
        prints=[CardView(each) for each in latest],
        fault=fault,
        of=of,
    )


ROUTES = [models, model]
