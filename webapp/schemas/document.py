"""The OpenAPI document: Litestar makes it of the handlers, and msgspec the schemas of their shapes."""

import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import HttpMethod, Litestar
from litestar.di import Provide
from litestar.handlers import ASGIRouteHandler, HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import License, Tag
from litestar.routes import HTTPRoute
from msgspec import Struct

from webapp.schemas.codes import Code
from webapp.schemas.problems import PROBLEM_TYPE, ProblemDetails

Document = dict[str, Any]
Needed = Callable[[str, str], Sequence[str]]

DESCRIPTION = """\
Post a prompt to `/generate`, then poll `/status/{job_id}` until the job is `completed`, `failed` or `canceled`. \
Responses for an unfinished job say in `Retry-After` when to poll again. Jobs wait in a queue: higher priorities \
first, then clients in turns, then older jobs.

Errors are problem+json (RFC 9457) with a stable `code`, a `type` whose page explains the code, and a JSON Pointer to \
each fault. A request must name this server in its Host header, otherwise it gets 421 `wrong_host`, or 400 when the \
header is missing or repeated. As long as nobody was added to /people, no request needs a key. From then on, one \
without gets 401, and a key sees the jobs of its owner; with the scope `read:all` those of all. Pages of other sites \
may link here; any other request from them gets 403 `cross_site`.

Every response has the id of its request in `X-Request-ID`: the one that was sent there, if it has 1 to 128 letters, \
digits and `._:-`, or a new one. The log has it, too."""
TAGS = {
    "Jobs": "Submit prompts, follow their jobs, search and organize them.",
    "Models": "Which models there are, and what they take.",
    "Batches": "Submit all combinations of a prompt matrix as one.",
    "Spend": "What was spent, and the budgets.",
    "Webhooks": "What programs are told, and what Replicate reports about predictions.",
    "Health": "Whether the process lives, and can do its work.",
}
SCHEMES = {
    "key": {"type": "http", "scheme": "bearer", "description": "A key for programs: `dk_...`."},
    "password": {"type": "http", "scheme": "basic", "description": "The key as the password; the name is ignored."},
}
"""How a request says who it is from. Optional: not needed as long as there are no people."""
SCHEMAS, EXAMPLES = "#/components/schemas/", "#/components/examples/"
STRING, SECONDS = {"type": "string"}, {"type": "integer", "minimum": 1}
BINARY = {"type": "string", "format": "binary"}
LOCATION = {"Location": {"description": "Where to poll.", "schema": STRING}}
ETAG = {"ETag": {"description": "The version that the client has.", "schema": STRING}}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait before the next request.", "schema": SECONDS}}
IF_NONE_MATCH = {
    "name": "If-None-Match", "in": "header", "description": "The `ETag` of the response that the client has.",
    "schema": STRING,
}  # fmt: skip
NOT_MODIFIED = {"description": "The client has it already: nothing has changed since `If-None-Match`."}
HEADERS = {"202": LOCATION | RETRY_AFTER, "304": ETAG, "429": RETRY_AFTER, "503": RETRY_AFTER}
"""The headers of responses that always have them, by status."""


def document(handlers: Sequence[HTTPRouteHandler | ASGIRouteHandler], needed: Needed) -> Document:
    """Return the OpenAPI document of the handlers that have a tag, in JSON's types.

    needed: returns the scopes that a key needs for a route's path and method; none for what everyone may do.
    """
    described = [handler for handler in handlers if isinstance(handler, HTTPRouteHandler) and handler.tags]
    injected = {
        name: Provide(lambda: None, sync_to_thread=False)
        for handler in described
        for name, field in handler.parsed_fn_signature.parameters.items()
        if field.is_di_field
    }
    app = Litestar(described, dependencies=injected, openapi_config=_config(), logging_config=None)
    made: Document = app.openapi_schema.to_schema()
    paths: dict[str, Document] = {}
    for path, method, handler in _operations(app):
        operations = paths.setdefault(handler.opt.get("path", path), {})
        operations[method] = _completed(made["paths"][path][method], handler)
        operations[method] |= _access(operations[method], needed(path, method.upper()))
    _, schemas = msgspec.json.schema_components(set(_shapes(described)), ref_template=SCHEMAS + "{name}")
    made["paths"], written = paths, json.dumps(paths)
    made["security"] = [{}, *({scheme: []} for scheme in SCHEMES)]
    made["components"] = {
        "securitySchemes": SCHEMES,
        "schemas": _tidied(schemas),
        "examples": {
            code: {"value": msgspec.to_builtins(ProblemDetails.of(code, code.meaning))}
            for code in Code
            if f'"{EXAMPLES}{code}"' in written
        },
    }
    return made


def _access(operation: Document, scopes: Sequence[str]) -> Document:
    """Return what an operation says of who may request it."""
    if not scopes:
        return {"security": []}
    words = f"A key needs the scope{'' if len(scopes) == 1 else 's'} {' and '.join(f'`{each}`' for each in scopes)}."
    return {"description": f"{operation['description']}\n\n{words}"}


def _config() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="Darkroom",
        version=version("darkroom"),
        summary="Generate pictures, videos and audio from prompts.",
        description=DESCRIPTION,
        license=License(name="MIT", identifier="MIT"),
        security=[],
        tags=[Tag(name, description) for name, description in TAGS.items()],
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, method, path: f"{method} {path}",  # replaced: GET and HEAD share a handler
    )


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield the paths, methods and handlers. Of a handler that answers GET, that is the only method."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if handler.tags and (method == HttpMethod.GET or HttpMethod.GET not in handler.http_methods):
                    yield route.path_format, method.lower(), handler


def _shapes(handlers: Sequence[HTTPRouteHandler]) -> Iterator[type[Struct]]:
    """Yield the types of what handlers take and return."""
    for handler in handlers:
        returned = [inner.annotation for inner in handler.parsed_fn_signature.return_type.inner_types]
        others = [spec.data_container for spec in (handler.responses or {}).values()]
        for shape in (*returned, *others, handler.opt.get("body")):
            if isinstance(shape, type) and issubclass(shape, Struct):
                yield shape


def _completed(operation: Document, handler: HTTPRouteHandler) -> Document:
    """Return an operation with what Litestar cannot be told of: the body, parameters and headers."""
    operation["operationId"] = handler.name or handler.handler_name
    parameters = {one["name"]: one for one in operation.pop("parameters", [])}
    parameters |= {one.name: one.to_schema() for one in handler.opt.get("parameters", ())}
    headers = {one.name: {"description": one.description} for one in handler.resolve_response_headers()}
    operation["responses"][str(handler.status_code)]["headers"] = headers
    if "ETag" in headers:
        parameters["If-None-Match"] = IF_NONE_MATCH
        operation["responses"]["304"] = dict(NOT_MODIFIED)
    if parameters:
        operation["parameters"] = [_lean(one) for one in parameters.values()]
    if body := handler.opt.get("body"):
        operation["requestBody"] = {"required": True, "content": {handler.opt["media_type"]: _body(body, handler)}}
    if 400 not in (handler.responses or {}):
        operation["responses"].pop("400", None)  # Litestar's own
    operation["responses"] = {
        status: _response(status, response) for status, response in sorted(operation["responses"].items())
    }
    return _lean(operation)


def _body(body: object, handler: HTTPRouteHandler) -> Document:
    examples = {name: {"value": example} for name, example in handler.opt["examples"].items()}
    [schema], _ = msgspec.json.schema_components([body], ref_template=SCHEMAS + "{name}")
    return {"schema": schema} | ({"examples": examples} if examples else {})


def _response(status: str, response: Document) -> Document:
    content_types = response.get("content", {})
    is_known = status in ("202", "304") or PROBLEM_TYPE in content_types
    headers = (HEADERS.get(status, {}) if is_known else {}) | response.pop("headers", {})
    if headers:
        own = {name: SECONDS if name == "Retry-After" else STRING for name in headers}
        response["headers"] = {name: {"schema": own[name]} | header for name, header in headers.items()}
    for media_type, content in content_types.items():
        if "json" not in media_type:
            content["schema"] = STRING if media_type.startswith("text/") else BINARY
        if examples := content.get("examples"):
            content["examples"] = {
                name: {"$ref": EXAMPLES + name} if media_type == PROBLEM_TYPE else {"value": example["value"]}
                for name, example in examples.items()
            }
    return response


def _tidied(schemas: Document) -> Document:
    """Return schemas of msgspec as generators of clients like them.

    An enum has its type, and a schema with a title is not repeated within others.
    """
    tidied: Document = {}

    def tidy(schema: Any, within: bool = True) -> Any:
        if isinstance(schema, list):
            return [tidy(item) for item in schema]
        if not isinstance(schema, dict):
            return schema
        if within and isinstance(schema.get("title"), str):
            tidied[schema["title"]] = schema
            return {"$ref": SCHEMAS + schema["title"]}
        return ({"type": "string"} if "enum" in schema else {}) | {name: tidy(value) for name, value in schema.items()}

    for name, schema in schemas.items():
        tidied[name] = tidy(schema, within=False)
    return dict(sorted(tidied.items()))


def _lean(described: Document) -> Document:
    """Return a part of the document without members that are false, as `required` and `deprecated` are by default."""
    return {name: value for name, value in described.items() if value is not False}
