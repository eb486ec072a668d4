"""The OpenAPI document matches the routes, the examples, and what the API does with arbitrary requests."""

import asyncio
import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from litestar.routes import HTTPRoute

from tasks.settings import ROOT
from webapp.app import create_app

DOCUMENT: dict[str, Any] = json.loads((ROOT / "webapp" / "openapi.json").read_text())

schema = schemathesis.openapi.from_dict(DOCUMENT)


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
    content = responses.get(str(answer.status_code), {}).get("content", {})
    if content:
        media_type = answer.headers["content-type"].partition(";")[0]
        assert media_type in content
        if "schema" in content[media_type]:
            validator(content[media_type]["schema"]).validate(answer.json())


def served(path: str) -> set[str]:
    """Return the methods of an address, including those for browsers, which are not in the document."""
    return {
        method
        for route in create_app().routes
        if isinstance(route, HTTPRoute) and route.path.replace(":str", "") == path
        for method in route.methods
    }


def documented(path: str, method: str) -> dict[str, Any]:
    """Return the documented responses of an operation, by status."""
    responses = DOCUMENT["paths"][path][method.lower()]["responses"]
    named = DOCUMENT["components"]["responses"]
    return {
        status: named[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
        for status, response in responses.items()
    }


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for({**schema, "components": DOCUMENT["components"]})


def examples() -> list[tuple[str, dict[str, Any], Any]]:
    found: list[tuple[str, dict[str, Any], Any]] = []

    def look(place: str, value: Any) -> None:
        if isinstance(value, dict):
            if "schema" in value and ("example" in value or "examples" in value):
                values = [value["example"]] if "example" in value else [e["value"] for e in value["examples"].values()]
                found.extend((f"{place}/{number}", value["schema"], example) for number, example in enumerate(values))
            for name, item in value.items():
                look(f"{place}/{name}", item)

    look("", DOCUMENT)
    return found


@pytest.mark.parametrize(
    ("place", "schema", "example"), examples(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_example_fits_its_schema(place: str, schema: dict[str, Any], example: Any) -> None:
    validator(schema).validate(example)


def test_every_documented_path_is_a_route() -> None:
    routes = {route.path.replace(":str", "") for route in create_app().routes}
    assert {path.replace("}.json", "}") for path in DOCUMENT["paths"]} <= routes, "of one route, .json is the JSON"


async def test_the_document_and_its_page_are_served_from_here(web: httpx.AsyncClient) -> None:
    assert (await web.get("/schema/openapi.json")).json() == DOCUMENT
    page = await web.get("/docs")
    assert "swagger-ui" in page.text
    assert "//cdn" not in page.text
    assert "https://" not in page.text
