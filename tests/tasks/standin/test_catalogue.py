"""The catalogue holds what Replicate would return."""

from typing import Any

import jsonschema_rs
import pytest

from tasks.standin import catalogue, outputs

MODELS = list(catalogue.MODELS.values())
MODEL_KEYS = {
    "url",
    "owner",
    "name",
    "description",
    "visibility",
    "is_official",
    "github_url",
    "paper_url",
    "license_url",
    "run_count",
    "cover_image_url",
    "default_example",
    "latest_version",
}


def test_there_is_a_model_of_every_kind() -> None:
    assert {outputs.kind(name) for name in catalogue.MODELS} == {"image", "video", "audio"}
    assert len(MODELS) == 5


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_models_have_the_fields_of_replicates(model: dict[str, Any]) -> None:
    assert model.keys() == MODEL_KEYS
    assert model["latest_version"].keys() == {"id", "created_at", "cog_version", "openapi_schema"}
    assert len(model["latest_version"]["id"]) == 64
    assert model["latest_version"]["openapi_schema"]["paths"] == {}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model["name"])
def test_defaults_are_valid(model: dict[str, Any]) -> None:
    schemas = catalogue.schemas(model)
    schema = {"allOf": [{"$ref": "#/components/schemas/Input"}], "components": {"schemas": schemas}}
    given = dict.fromkeys(schemas["Input"].get("required", []), "a sea") | catalogue.defaults(model)
    jsonschema_rs.Draft7Validator(schema).validate(given)


def test_both_ways_to_write_choices_are_there() -> None:
    inlined = catalogue.schemas(catalogue.named("black-forest-labs/flux-schnell"))["Input"]["properties"][
        "aspect_ratio"
    ]
    referred = catalogue.schemas(catalogue.named("stability-ai/sdxl"))["Input"]["properties"]["scheduler"]
    assert "enum" in inlined
    assert referred["allOf"] == [{"$ref": "#/components/schemas/scheduler"}]


def test_sdxl_has_its_inputs_in_the_real_order() -> None:
    properties = catalogue.schemas(catalogue.named("stability-ai/sdxl"))["Input"]["properties"]
    in_order = sorted(properties, key=lambda name: properties[name]["x-order"])
    assert in_order[:8] == ["prompt", "negative_prompt", "image", "mask", "width", "height", "num_outputs", "scheduler"]
    assert [properties[name]["x-order"] for name in in_order] == list(range(19))
