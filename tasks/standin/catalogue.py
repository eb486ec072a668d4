"""The models, read from tasks/models/catalogue: each file is Replicate's response to GET /models/{owner}/{name}."""

from pathlib import Path
from typing import Any

import msgspec

from tasks.standin.problems import invalid_version, not_found

Model = dict[str, Any]

FOLDER = Path(__file__).parents[1] / "models" / "catalogue"

MODELS: dict[str, Model] = {
    f"{model['owner']}/{model['name']}": model
    for model in (msgspec.json.decode(path.read_bytes(), type=Model) for path in sorted(FOLDER.glob("*.json")))
}


def named(name: str) -> Model:
    """Return the model with this owner/name. Raises Problem (404) when there is none."""
    try:
        return MODELS[name]
    except KeyError:
        raise not_found() from None


def of_version(version: str) -> Model:
    """Return the model of owner/name (official models only), owner/name:id or a bare id.

    Raises Problem (422) when there is none. The error does not say whether the version exists.
    """
    name, _, number = version.rpartition(":") if ":" in version else ("", "", version)
    for known, model in MODELS.items():
        if number == model["latest_version"]["id"] and name in ("", known):
            return model
        if version == known and model["is_official"]:
            return model
    raise invalid_version()


def schemas(model: Model) -> dict[str, Any]:
    """Return the model's components.schemas: Input, Output and the schemas that they refer to."""
    found: dict[str, Any] = model["latest_version"]["openapi_schema"]["components"]["schemas"]
    return found


def defaults(model: Model) -> dict[str, Any]:
    """Return the values that inputs have when they are not given."""
    properties: dict[str, Any] = schemas(model)["Input"]["properties"]
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}
