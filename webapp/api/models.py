"""GET /models and /models/{owner}/{name}: which models there are, and what each takes, for programs."""

from litestar import Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import Scope

from tasks.models import registry
from tasks.replicate.client import Replicate
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ
from webapp.http.requests import existing_model
from webapp.schemas import describe
from webapp.schemas.codes import Code
from webapp.schemas.library import Model, ModelInFull, ModelList


@route(
    "/models",
    http_method=READ,
    tags=["Models"],
    summary="List the models",
    response_description="The models.",
    response_headers=[describe.ETAG],
    responses=describe.problems(),
)
async def models(scope: Scope) -> Response[ModelList]:
    """Return the models to choose from: the built-in ones, then those that jobs have used."""
    return revalidated_json(scope, ModelList([Model.of(model) for model in await registry.known()]))


@route(
    "/models/{owner:str}/{name:str}",
    http_method=READ,
    tags=["Models"],
    summary="Get a model",
    response_description="The model.",
    response_headers=[describe.ETAG],
    responses=describe.problems(Code.MODEL_NOT_FOUND, *describe.PROVIDER),
)
async def model(
    scope: Scope, owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[ModelInFull]:
    """Return a model on Replicate with the schema of its input and the defaults in it."""
    return revalidated_json(scope, ModelInFull.whole(await existing_model(f"{owner}/{name}", replicate)))


ROUTES = [models, model]
