"""The routes: the endpoint for each path and method."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tasks.standin import control, delivery, files, prices, runs, shelf
from tasks.standin.catalogue import MODELS
from tasks.standin.door import Endpoint, faulty, guarded

# path: method: (its name in the fault rules' `on`, endpoint)
API: dict[str, dict[str, tuple[str, Endpoint]]] = {
    "/predictions": {"POST": ("create", runs.create), "GET": ("list", runs.index)},
    "/predictions/{id}": {"GET": ("get", runs.get)},
    "/predictions/{id}/cancel": {"POST": ("cancel", runs.cancel)},
    "/models": {"GET": ("models", shelf.models)},
    "/models/{owner}/{name}": {"GET": ("model", shelf.model)},
    "/models/{owner}/{name}/predictions": {"POST": ("create", runs.create_by_name)},
    "/models/{owner}/{name}/versions": {"GET": ("versions", shelf.versions)},
    "/models/{owner}/{name}/versions/{version}": {"GET": ("versions", shelf.version)},
    "/account": {"GET": ("account", shelf.account)},
    "/hardware": {"GET": ("hardware", shelf.hardware)},
    "/webhooks/default/secret": {"GET": ("secret", shelf.secret)},
    "/files": {"POST": ("upload", files.upload), "GET": ("upload", files.index)},
    "/files/{file}": {"GET": ("upload", files.get), "DELETE": ("upload", files.remove)},
}
CONTROL: dict[str, dict[str, Endpoint]] = {
    "/faults": {"POST": control.add_faults, "GET": control.list_faults, "DELETE": control.clear_faults},
    "/ledger": {"GET": control.ledger},
    "/pace": {"POST": control.pace},
    "/limit": {"POST": control.limit},
}


def routes(control: bool) -> list[Route]:
    """Return all routes: the API, the file host, the pages of models, and /_standin if `control` is true.

    Only the stand-in has the last.
    """
    api = [
        _route(f"/v1{path}", {method: guarded(on, endpoint) for method, (on, endpoint) in methods.items()})
        for path, methods in API.items()
    ]
    inside = [_route(f"/_standin{path}", methods) for path, methods in CONTROL.items()]
    host = [
        _route("/files-delivery/{id}/{name}", {"GET": faulty("file", delivery.output)}),
        _route("/p/{id}", {"GET": delivery.page}),
    ]
    site = [_route(f"/{name}", {"GET": faulty("page", prices.page)}) for name in MODELS]
    return [*api, *host, *site, *(inside if control else [])]


def _route(path: str, methods: dict[str, Endpoint]) -> Route:
    async def endpoint(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method](request)

    return Route(path, endpoint, methods=[*methods])
