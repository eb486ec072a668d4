"""Converts the schemas that Replicate publishes for a model to plain JSON Schema, and validates input against them."""

from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema_rs

REFERENCE = "#/components/schemas/"

Schema = dict[str, Any]
Path = tuple[str, ...]
"""The names and indexes that lead from the top of a JSON value to a value inside it."""


def plain(schemas: Mapping[str, Any], name: str) -> Schema:
    """Return the schema called `name` ("Input", "Output") as standard JSON Schema.

    Replicate's schemas are OpenAPI 3.0 of two generations: enums are inlined or an `allOf` with a `$ref`, and "may be
    null" is `nullable: true`. For "Input", the schema refuses properties that the model does not have, because
    Replicate would drop them silently.
    """
    schema: Schema = _plain(schemas.get(name, {}), schemas)
    if name == "Input":
        schema = {"type": "object", "additionalProperties": False, **schema}
        schema["properties"] = dict(sorted(schema.get("properties", {}).items(), key=_order))
    return schema


def _plain(schema: Any, schemas: Mapping[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_plain(item, schemas) for item in schema]
    if not isinstance(schema, dict):
        return schema
    merged: Schema = {}
    for part in [*schema.get("allOf", []), schema]:
        reference = part.get("$ref", "")
        if reference.startswith(REFERENCE):
            merged |= _plain(schemas.get(reference.removeprefix(REFERENCE), {}), schemas)
        merged |= {
            key: _plain(value, schemas) for key, value in part.items() if key not in ("$ref", "allOf", "nullable")
        }
    if schema.get("nullable"):
        merged["type"] = (
            [merged["type"], "null"] if "type" in merged else ["string", "number", "boolean", "array", "object", "null"]
        )
        if "enum" in merged:
            merged["enum"] = [*merged["enum"], None]
    return merged


def _order(item: tuple[str, Schema]) -> float:
    return float(item[1].get("x-order", float("inf")))  # missing on some properties; sorting is stable


def validator(schema: Schema) -> jsonschema_rs.Validator:
    """Return a compiled validator. Raises ValueError when the schema is not valid."""
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def faults(
    validator: jsonschema_rs.Validator, properties: Schema, arguments: Mapping[str, Any], whose: str = "The model"
) -> Iterator[tuple[Path, str]]:
    """Yield the errors in the input as (path to the value, sentence), in no particular order.

    whose: whose input it is, as the sentences begin with it.
    """
    for error in validator.iter_errors(dict(arguments)):
        kind = error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            for name in kind.unexpected:
                yield (name,), f"{whose} has no parameter {name!r}. It has: {', '.join(properties) or 'none'}."
        elif isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
            yield (kind.property,), f"{kind.property} is required."
        else:
            path = tuple(str(step) for step in error.instance_path)
            yield path, _sentence(path, error)


def _sentence(path: Path, error: jsonschema_rs.ValidationError) -> str:
    name, kind, kinds = ".".join(path) or "The input", error.kind, jsonschema_rs.ValidationErrorKind
    if isinstance(kind, kinds.Enum):
        options = kind.options if isinstance(kind.options, list) else [kind.options]
        return f"{name} must be one of {', '.join(_word(option) for option in options)}."
    if isinstance(kind, kinds.Minimum):
        return f"{name} must be at least {_word(kind.limit)}."
    if isinstance(kind, kinds.Maximum):
        return f"{name} must be at most {_word(kind.limit)}."
    if isinstance(kind, kinds.Type):
        wanted = " or ".join(_with_article(word) for word in kind.types)
        return f"{name} must be {wanted}, not {_with_article(_type(error.instance))}."
    if isinstance(kind, kinds.Format):
        return (
            f"{name} must be a web address (URL)." if kind.format == "uri" else f"{name} must be a valid {kind.format}."
        )
    return f"{name}: {error.message}."


def _word(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "null" if value is None else str(value)


def _with_article(word: str) -> str:
    return word if word == "null" else f"an {word}" if word[0] in "aeiou" else f"a {word}"


def _type(value: object) -> str:
    names: dict[type, str] = {
        bool: "boolean",
        int: "integer",
        float: "number",
        str: "string",
        list: "array",
        dict: "object",
    }
    return names.get(type(value), "null")
