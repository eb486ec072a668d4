"""The endpoints for models, the account, hardware, and the webhook secret."""

from starlette.requests import Request
from starlette.responses import Response

from tasks.standin import catalogue
from tasks.standin.pages import answer, page
from tasks.standin.problems import not_found
from tasks.standin.room import room_of


async def models(_: Request) -> Response:
    """Handle GET /models."""
    return page(list(catalogue.MODELS.values()))


async def model(request: Request) -> Response:
    """Handle GET /models/{owner}/{name}."""
    return answer(_model(request))


async def versions(request: Request) -> Response:
    """Handle GET /models/{owner}/{name}/versions."""
    return page([_model(request)["latest_version"]])


async def version(request: Request) -> Response:
    """Handle GET /models/{owner}/{name}/versions/{version}."""
    latest = _model(request)["latest_version"]
    if latest["id"] != request.path_params["version"]:
        raise not_found()
    return answer(latest)


async def account(_: Request) -> Response:
    """Handle GET /account."""
    return answer({"type": "user", "username": "darkroom", "name": "Darkroom's stand-in", "github_url": None})


async def hardware(_: Request) -> Response:
    """Handle GET /hardware."""
    return answer([{"name": "CPU", "sku": "cpu"}])


async def secret(request: Request) -> Response:
    """Handle GET /webhooks/default/secret."""
    return answer({"key": room_of(request).webhook_secret})


def _model(request: Request) -> catalogue.Model:
    return catalogue.named(f"{request.path_params['owner']}/{request.path_params['name']}")
