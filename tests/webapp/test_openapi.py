"""The OpenAPI document matches the routes, the examples, and what the API does with arbitrary requests."""

import ast
import asyncio
import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from litestar.routes import HTTPRoute

from tasks.db import tables
from tasks.files.media_types import MEDIA_TYPES
from tasks.settings import ROOT
from webapp.app import api_document, create_app
from webapp.schemas.codes import Code
from webapp.schemas.members import Kind, Priority
from webapp.schemas.problems import PROBLEM_TYPE

DOCUMENT: dict[str, Any] = json.loads(json.dumps(api_document()))

HEADERS = ("etag", "link", "location", "retry-after")
"""The headers that the document speaks of. Those of a 200 may be absent, as there may be no next page, say."""

OPTIONAL = {"idempotent-replayed", "preference-applied", "ratelimit", "ratelimit-policy"}
"""The headers of responses to requests that asked for them."""
ERRORS = {
    "Rejected", "Failure", "Refused", "Unreached", "OutcomeUnknown", "AccountRefused", "Forbidden", "InvalidInput",
    "NotFound", "Throttled",
}  # fmt: skip
NEVER_SENT = {"prediction_lost"}
OF_EVERY_ADDRESS = {Code.NOT_FOUND, Code.METHOD_NOT_ALLOWED, Code.WRONG_HOST, Code.INCOMPLETE_BODY}
OF_PAGES = {
    Code.COLLECTION_NOT_FOUND, Code.INVALID_BUDGET, Code.INVALID_KEY, Code.LINK_GONE,
    Code.INVALID_PRICE, Code.STREAM_UNAVAILABLE, Code.UPLOAD_IN_USE,
}  # fmt: skip

schema = schemathesis.openapi.from_dict(DOCUMENT).exclude(path="/events.json")  # whose response never ends


@pytest.fixture(scope="module")
async def loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that the application runs on."""
    return asyncio.get_running_loop()


# Not async: Schemathesis would run it on the current loop or, if there is none, on a new one for every example.
# Litestar leaves the files of refused forms to the garbage collector.
@pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
@schema.parametrize()
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_api_does_what_its_document_says(
    case: Any, loop: asyncio.AbstractEventLoop, web: httpx.AsyncClient, standin: str
) -> None:
    loop.run_until_complete(does_what_its_document_says(case, web))


async def does_what_its_document_says(case: Any, web: httpx.AsyncClient) -> None:
    request = case.as_transport_kwargs()
    request.pop("cookies", None)
    request.get("headers", {}).pop("Prefer", None)  # which may wait for a minute
    request["url"] = request["url"].removeprefix("http://localhost")
    if "data" in request and not isinstance(request["data"], dict):  # requests' name for it; httpx calls it content
        request["content"] = request.pop("data")
    answer = await web.request(**request)
    responses = documented(case.operation.path, case.operation.method)
    if request["method"].lower() != case.operation.method.lower():
        refused = (204, 405)  # OPTIONS is answered
        assert answer.status_code in refused or request["method"].upper() in served(case.operation.path)
        return
    assert str(answer.status_code) in responses or answer.status_code in (404, 405), answer.text
    response = responses.get(str(answer.status_code), {})
    content = response.get("content", {})
    if content:
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content
        if "json" in media_type:
            validator(content[media_type]["schema"]).validate(answer.json())
        if media_type == PROBLEM_TYPE:
            assert answer.json()["code"] in content[media_type]["examples"], answer.text
    if response:
        sent = {name for name in HEADERS if name in answer.headers}
        known = {name.lower() for name in response.get("headers", {})} - OPTIONAL
        assert sent <= known, answer.headers
        assert known <= sent or answer.status_code == 200, answer.headers


def served(path: str) -> set[str]:
    """Return the methods of an address, including those for browsers, which are not in the document."""
    return {
        method
        for route in create_app().routes
        if isinstance(route, HTTPRoute) and route.path_format == path
        for method in route.methods
    }


def documented(path: str, method: str) -> dict[str, Any]:
    """Return the documented responses of an operation, by status."""
    return dict(DOCUMENT["paths"][path][method.lower()]["responses"])


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def examples() -> list[tuple[str, dict[str, Any], Any]]:
    found: list[tuple[str, dict[str, Any], Any]] = []

    def look(place: str, value: Any) -> None:
        if isinstance(value, dict):
            if "schema" in value and "examples" in value:
                found.extend(
                    (f"{place}/{name}", value["schema"], its_value(e)) for name, e in value["examples"].items()
                )
            for name, item in value.items():
                look(f"{place}/{name}", item)

    look("", DOCUMENT)
    return found


def its_value(example: dict[str, Any]) -> Any:
    named = DOCUMENT["components"]["examples"]
    return named[example["$ref"].rpartition("/")[2]]["value"] if "$ref" in example else example["value"]


@pytest.mark.parametrize(
    ("place", "schema", "example"), examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_example_fits_its_schema(place: str, schema: dict[str, Any], example: Any) -> None:
    validator(schema).validate(example)


def test_every_documented_path_is_a_route() -> None:
    routes = {route.path_format for route in create_app().routes}
    assert {path.replace("}.json", "}") for path in DOCUMENT["paths"]} <= routes, "of one route, .json is the JSON"


def test_every_error_that_is_raised_has_a_code() -> None:
    """Codes that come from tasks/ are words there. What else fails a job has codes, too, which no response has."""
    found = {
        argument.value
        for folder in ("webapp", "tasks/admission", "tasks/curation", "tasks/models", "tasks/replicate")
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and call.args and isinstance(argument := call.args[0], ast.Constant)
        if isinstance(call.func, ast.Name) and call.func.id in ERRORS
    }
    assert {"unknown_model", "provider_timeout", "provider_billing"} <= found
    assert found - set(Code) <= NEVER_SENT


def test_every_code_is_documented_or_of_pages_only() -> None:
    used = {
        code
        for path in DOCUMENT["paths"].values()
        for operation in path.values()
        for response in operation["responses"].values()
        for code in response.get("content", {}).get(PROBLEM_TYPE, {}).get("examples", {})
    }
    assert set(Code) - used == OF_EVERY_ADDRESS | OF_PAGES


async def test_a_code_is_explained_at_the_address_that_a_problem_names(web: httpx.AsyncClient) -> None:
    problem = (await web.get("/status/x")).json()
    assert problem["type"] == "/errors/job_not_found"
    page = await web.get(problem["type"])
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "Job not found" in page.text
    assert Code.JOB_NOT_FOUND.meaning in page.text
    assert (await web.get("/errors/nope")).status_code == 404


def test_the_names_of_priorities_and_kinds_are_those_of_the_tables() -> None:
    assert [priority.name.lower() for priority in tables.Priority] == list(Priority)
    assert {media.kind for media in MEDIA_TYPES.values()} <= set(Kind)


async def test_the_document_and_its_page_are_served_from_here(web: httpx.AsyncClient) -> None:
    assert (await web.get("/schema/openapi.json")).json() == DOCUMENT
    page = await web.get("/docs")
    assert "swagger-ui" in page.text
    assert "//cdn" not in page.text
    assert "https://" not in page.text
