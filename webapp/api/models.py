"""GET /models and /models/{owner}/{name}: which models there are, and what each takes, for programs."""

from typing import Any

from litestar import Response, route
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import Scope

from tasks.admission.admission import is_model_name
from tasks.models import registry
from tasks.models.registry import Model
from tasks.replicate.client import Replicate
from webapp.http.errors import not_found
from webapp.http.etag import revalidated_json
from webapp.http.methods import READ


@route("/models", http_method=READ)
async def models(scope: Scope) -> Response[bytes]:
    """Return the models to choose from: the built-in ones, then those that jobs have used."""
    return revalidated_json(scope, {"models": [_shape(model) for model in await registry.known()]})


@route("/models/{owner:str}/{name:str}", http_method=READ)
async def model(
    scope: Scope, owner: FromPath[str], name: FromPath[str], replicate: NamedDependency[Replicate]
) -> Response[bytes]:
    """Return a model on Replicate with the schema of its input and the defaults in it."""
    full_name = f"{owner}/{name}"
    found = await registry.look_up(full_name, replicate) if is_model_name(full_name) else None
    if found is None:
        raise not_found("model_not_found", "Replicate knows no such model.")
    properties = found.input_schema["properties"]
    defaults = {field: schema["default"] for field, schema in properties.items() if "default" in schema}
    shape = {"input_schema": found.input_schema, "output_schema": found.output_schema, "defaults": defaults}
    return revalidated_json(scope, _shape(found) | shape)


def _shape(model: Model) -> dict[str, Any]:
    version = {"version": model.version} if model.version else {}
    return {
        "name": model.name,
        "kind": model.kind,
        "official": model.official,
        "description": model.description,
    } | version


ROUTES = [models, model]
