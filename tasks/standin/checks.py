"""Validation of input against a model's schema, with errors in the words of Replicate's validator."""

from typing import Any

import jsonschema_rs
import msgspec

from tasks.standin.catalogue import Model, schemas
from tasks.standin.problems import Json, invalid_fields

BODY: Json = {
    "type": "object",
    "additionalProperties": False,
    "required": ["input"],
    "properties": {
        "input": {"type": "object"},
        "webhook": {"type": "string", "format": "uri"},
        "webhook_events_filter": {"type": "array", "items": {"enum": ["start", "output", "logs", "completed"]}},
        "stream": {"type": "boolean"},
    },
}
BODY_WITH_VERSION: Json = {
    **BODY,
    "required": ["version", "input"],
    "properties": {"version": {"type": "string"}, **BODY["properties"]},
}


def check_body(body: Any, *, version: bool) -> None:
    """Raise Problem (422) when `body` is not that of a create request. version: whether it must name a version."""
    _check(body, BODY_WITH_VERSION if version else BODY, "")


def check_input(values: Json, model: Model) -> Json:
    """Return the inputs that the model knows.

    Drops other inputs silently, as Replicate does. Raises Problem (422) when an input is invalid.
    """
    schema = _without_nullable(
        {"allOf": [{"$ref": "#/components/schemas/Input"}], "components": {"schemas": schemas(model)}}
    )
    _check(values, schema, "input")
    known = schemas(model)["Input"]["properties"]
    return {name: value for name, value in values.items() if name in known}


def _check(value: Any, schema: Json, root: str) -> None:
    validator = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
    fields = [field for error in validator.iter_errors(value) for field in _fields(error, root)]
    if fields:
        raise invalid_fields(fields)


def _fields(error: jsonschema_rs.ValidationError, root: str) -> list[dict[str, str]]:
    # The wording is gojsonschema's, as in Replicate's recorded responses.
    place = ".".join(str(part) for part in ([root] if root else []) + list(error.instance_path))
    name = str(error.instance_path[-1]) if error.instance_path else "(root)"
    kind: Any = error.kind
    match kind:
        case jsonschema_rs.ValidationErrorKind.Required():
            return [_field("required", place, f"{kind.property} is required")]
        case jsonschema_rs.ValidationErrorKind.AdditionalProperties():
            words = "Additional property {} is not allowed"
            return [_field("additional_property_not_allowed", place, words.format(extra)) for extra in kind.unexpected]
        case jsonschema_rs.ValidationErrorKind.Enum():
            allowed = ", ".join(msgspec.json.encode(option).decode() for option in kind.options)
            return [_field("enum", place, f"{name} must be one of the following: {allowed}")]
        case jsonschema_rs.ValidationErrorKind.Type():
            given = _type_name(error.instance)
            return [_field("invalid_type", place, f"Invalid type. Expected: {'/'.join(kind.types)}, given: {given}")]
        case jsonschema_rs.ValidationErrorKind.Minimum():
            return [_field("number_gte", place, f"Must be greater than or equal to {kind.limit}")]
        case jsonschema_rs.ValidationErrorKind.Maximum():
            return [_field("number_lte", place, f"Must be less than or equal to {kind.limit}")]
        case jsonschema_rs.ValidationErrorKind.Format():
            return [_field("format", place, f"Does not match format '{kind.format}'")]
        case _:
            return [_field("invalid", place, error.message)]


def _field(kind: str, field: str, description: str) -> dict[str, str]:
    return {"type": kind, "field": field, "description": description}


def _type_name(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def _without_nullable(schema: Any) -> Any:
    """Translate OpenAPI 3.0's `nullable: true` to JSON Schema."""
    if isinstance(schema, list):
        return [_without_nullable(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _without_nullable(value) for key, value in schema.items() if key != "nullable"}
    return {"anyOf": [plain, {"type": "null"}]} if schema.get("nullable") is True else plain
