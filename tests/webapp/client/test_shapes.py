"""The client's shapes and errors, held against the API's document and its codes."""

from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import fields

from webapp.app import api_document
from webapp.client import exceptions, shapes
from webapp.schemas.codes import Code

pytestmark = pytest.mark.once

DOCUMENT = api_document()
SCHEMAS = DOCUMENT["components"]["schemas"]
OTHER_NAMES = {"Budget": "BudgetState", "Fault": "FaultDetails", "Problem": "ProblemDetails"}
SHAPES = [
    shape for shape in vars(shapes).values()
    if isinstance(shape, type) and issubclass(shape, shapes.Shape) and shape is not shapes.Shape
]  # fmt: skip
LEFT_OUT: dict[str, set[str]] = {}
"""Members of the document that the client does not have, by shape."""


def documented(shape: type[Struct]) -> dict[str, Any]:
    return dict(SCHEMAS[OTHER_NAMES.get(shape.__name__, shape.__name__)])


def kind(schema: dict[str, Any], schemas: dict[str, Any]) -> tuple[Any, ...]:
    """Return what JSON a schema describes: its types, and those of what is in it. The names of shapes do not matter."""
    if "$ref" in schema:
        return kind(schemas[schema["$ref"].rpartition("/")[2]], schemas)
    if "anyOf" in schema:
        return tuple(found for each in schema["anyOf"] for found in kind(each, schemas) if found != "null")
    if "enum" in schema or "const" in schema:
        return ("string",)
    if schema["type"] == "array":
        return ("array", *kind(schema["items"], schemas))
    return (schema["type"],)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_a_shape_has_the_members_of_the_document_with_their_types(shape: type[Struct]) -> None:
    [own], others = msgspec.json.schema_components([shape], ref_template="{name}")
    members, wanted = others[own["$ref"]]["properties"], documented(shape)["properties"]
    assert set(wanted) - set(members) == LEFT_OUT.get(shape.__name__, set())
    for name, schema in members.items():
        assert kind(schema, others) == kind(wanted[name], SCHEMAS), name


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_what_it_requires_is_always_there(shape: type[Struct]) -> None:
    required = {field.name for field in fields(shape) if field.required}
    assert required == set(documented(shape)["required"])


def test_options_are_those_of_a_request_for_a_job() -> None:
    assert set(get_type_hints(shapes.Options)) == set(SCHEMAS["Generate"]["properties"]) - {"prompt"}


def test_statuses_are_those_of_the_document() -> None:
    assert set(get_args(shapes.Status)) == set(SCHEMAS["Status"]["enum"])


def test_every_example_of_the_document_is_read_and_written_whole() -> None:
    read = set()
    for shape in SHAPES:
        for example in examples(documented(shape)):
            decoded = msgspec.convert(example, type=shape, strict=False)
            assert msgspec.to_builtins(decoded) == example
            read.add(shape.__name__)
    assert read >= {"Job", "JobPage", "SubmittedJob", "Estimate", "Upload"}


def examples(schema: dict[str, Any]) -> list[Any]:
    """Return the examples of the responses with a schema."""
    return [
        DOCUMENT["components"]["examples"].get(example.get("$ref", "").rpartition("/")[2], example)["value"]
        for path in DOCUMENT["paths"].values() for operation in path.values()
        for response in operation["responses"].values()
        for content in response.get("content", {}).values()
        if SCHEMAS.get(content["schema"].get("$ref", "").rpartition("/")[2]) == schema
        for example in content.get("examples", {}).values()
    ]  # fmt: skip


def test_each_code_with_an_error_of_its_own_is_one_of_the_api() -> None:
    assert set(exceptions.BY_CODE) <= set(Code)


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, exceptions.KeyRefused), (402, exceptions.BudgetRefused), (403, exceptions.KeyRefused)],
)
def test_each_code_about_a_key_or_money_has_an_error_of_its_own(status: int, error: type[Exception]) -> None:
    codes = [code for code in Code if code.status == status]
    assert codes
    assert {exceptions.BY_CODE.get(code) for code in codes} == {error}


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("queue_full", 429, exceptions.QueueFull),
        ("invalid_prompt", 422, exceptions.InvalidRequest),
        ("job_deleted", 410, exceptions.NotFound),
        ("database_unavailable", 503, exceptions.Unavailable),
        ("of_a_newer_darkroom", 400, exceptions.InvalidRequest),
    ],
)
def test_any_other_code_has_the_error_of_its_status(code: str, status: int, error: type[Exception]) -> None:
    problem = shapes.Problem(f"/errors/{code}", "A title", status, "A sentence.", code)
    assert type(exceptions.of(problem, None)) is error
