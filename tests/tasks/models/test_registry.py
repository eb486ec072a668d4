"""The built-in models, and any other by its name."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from tasks.db.database import now
from tasks.db.tables import ModelSchema
from tasks.errors import Failure
from tasks.models import registry
from tasks.models.registry import BUILT_IN, Model
from tasks.replicate.client import Replicate

VERSION = "ab" * 32
NEWER = "cd" * 32
INPUT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string"}, "seed": {"type": "integer", "maximum": 9}},
}


def remote(version: str | None = VERSION, official: bool = False) -> dict[str, Any]:
    schemas = {"components": {"schemas": {"Input": INPUT, "Output": {"type": "string"}}}}
    latest = {"id": version, "openapi_schema": schemas} if version else None
    return {"owner": "someone", "name": "something", "is_official": official, "latest_version": latest}


class Provider:
    """A Replicate that knows one model and records its requests."""

    def __init__(self, answer: dict[str, Any] | int) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.replicate = Replicate(httpx.MockTransport(self._answer))

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url.path.removeprefix("/v1"))
        if isinstance(self.answer, int):
            return httpx.Response(self.answer, json={"detail": "no"})
        if "/versions/" in request.url.path:
            version = request.url.path.rpartition("/")[2]
            return httpx.Response(200, json=self.answer["latest_version"] | {"id": version})
        return httpx.Response(200, json=self.answer)


@pytest.mark.parametrize("name", BUILT_IN)
async def test_the_models_out_of_the_box_need_nobody_asked(name: str) -> None:
    provider = Provider(500)
    model = await registry.find(name, provider.replicate)
    assert model is not None
    assert provider.asked == []
    assert model.prompt_name == "prompt"
    assert model.faults("a fox", {}) == []
    assert model.faults("a fox", {"no_such_thing": 1})
    assert model.output_schema


async def test_the_default_model_takes_a_width_and_a_height() -> None:
    model = registry.built_in("stability-ai/sdxl")
    assert model is not None
    assert model.faults("A futuristic city at sunset", {"width": 512, "height": 512}) == []
    assert model.reference == f"stability-ai/sdxl:{model.version}"


async def test_an_official_model_is_called_by_its_name() -> None:
    model = registry.built_in("black-forest-labs/flux-schnell")
    assert model is not None
    assert model.reference == "black-forest-labs/flux-schnell"


async def test_any_other_model_is_fetched_once_and_kept() -> None:
    provider = Provider(remote())
    for _ in range(3):
        model = await registry.find("someone/something", provider.replicate)
        assert model is not None
        assert model.reference == f"someone/something:{VERSION}"
    assert provider.asked == ["/models/someone/something"]
    assert [row.name for row in await ModelSchema.objects()] == ["someone/something"]
    assert "someone/something" in [known.name for known in await registry.known()]


async def test_a_model_that_is_only_looked_up_is_asked_for_once_and_not_stored() -> None:
    provider = Provider(remote())
    for _ in range(3):
        model = await registry.look_up("someone/something", provider.replicate)
    assert model is not None
    assert provider.asked == ["/models/someone/something"]
    assert await ModelSchema.count() == 0
    await registry.keep(model)
    assert "someone/something" in [known.name for known in await registry.known()]
    await registry.look_up("someone/something", Provider(500).replicate)


async def test_a_thousand_looks_for_one_name_at_the_same_moment_share_one_request() -> None:
    provider = Provider(404)
    looks = [registry.look_up("no/such", provider.replicate) for _ in range(1000)]
    assert set(await asyncio.gather(*looks)) == {None}
    assert provider.asked == ["/models/no/such"]


async def test_an_unknown_name_is_remembered_as_unknown_for_a_while() -> None:
    provider = Provider(404)
    for _ in range(1000):
        assert await registry.look_up("no/such", provider.replicate) is None
    assert provider.asked == ["/models/no/such"]
    provider.answer = remote()
    registry.fetch.cache_clear()
    assert await registry.look_up("no/such", provider.replicate) is not None


async def test_that_replicate_was_away_is_not_remembered() -> None:
    with pytest.raises(Failure):
        await registry.look_up("someone/something", Provider(503).replicate)
    assert await registry.look_up("someone/something", Provider(remote()).replicate) is not None


async def test_a_version_that_was_asked_for_is_the_one_that_runs() -> None:
    provider = Provider(remote(official=True))
    model = await registry.find(f"someone/something:{NEWER}", provider.replicate)
    assert model is not None
    assert model.reference == f"someone/something:{NEWER}"
    assert provider.asked == ["/models/someone/something", f"/models/someone/something/versions/{NEWER}"]


async def test_a_refreshed_model_is_the_new_one_from_then_on() -> None:
    await registry.refresh("someone/something", Provider(remote()).replicate)
    await registry.refresh("someone/something", Provider(remote(NEWER)).replicate)
    model = await registry.find("someone/something", Provider(500).replicate)
    assert model is not None
    assert model.version == NEWER
    assert await ModelSchema.count() == 1


async def test_what_another_process_was_told_of_a_model_is_known_some_seconds_later() -> None:
    provider = Provider(500)
    await registry.refresh("someone/something", Provider(remote()).replicate)
    remembered = await registry.find("someone/something", provider.replicate)
    await ModelSchema.update({ModelSchema.version: NEWER}).where(ModelSchema.name == "someone/something")
    assert await registry.find("someone/something", provider.replicate) is remembered
    registry.stored.cache_clear()
    found = await registry.find("someone/something", provider.replicate)
    assert remembered is not None
    assert found is not None
    assert (remembered.version, found.version) == (VERSION, NEWER)


async def test_a_model_that_replicate_does_not_know_is_none() -> None:
    assert await registry.find("no/such", Provider(404).replicate) is None


async def test_that_replicate_does_not_answer_is_a_failure_that_may_pass() -> None:
    with pytest.raises(Failure) as caught:
        await registry.find("some/model", Provider(503).replicate)
    assert caught.value.passing


async def test_a_row_wins_over_what_is_there_out_of_the_box() -> None:
    schemas = json.dumps({"Input": INPUT})
    name = "stability-ai/sdxl"
    await ModelSchema.insert(ModelSchema(name=name, version=NEWER, schemas=schemas, fetched_at=now()))
    model = await registry.find(name, Provider(500).replicate)
    assert model is not None
    assert model.version == NEWER
    assert [known.version for known in await registry.known() if known.name == name] == [NEWER]


def a_model(**properties: Any) -> Model:
    return Model("a/b", VERSION, False, "", {"Input": {"type": "object", "properties": properties}})


def test_a_seed_of_ours_is_sent_where_none_is_given() -> None:
    model = a_model(text={"type": "string"}, seed={"type": "integer", "maximum": 9})
    seeds = {model.arguments("p", {})["seed"] for _ in range(200)}
    assert seeds <= set(range(10))
    assert len(seeds) > 1
    assert model.arguments("p", {"seed": 77})["seed"] == 77
    assert "seed" not in a_model(prompt={"type": "string"}).arguments("p", {})


def test_the_prompt_goes_where_the_model_wants_it() -> None:
    assert a_model(text={"type": "string"}).arguments("p", {}) == {"text": "p"}


def test_a_model_that_takes_no_words_is_refused() -> None:
    [fault] = a_model(image={"type": "string"}).faults("p", {})
    assert fault.pointer == "/model"


def test_the_prompt_does_not_belong_among_the_parameters() -> None:
    [fault] = a_model(prompt={"type": "string"}).faults("p", {"prompt": "q"})
    assert fault.pointer == "/parameters/prompt"


def test_faults_point_into_the_request() -> None:
    model = a_model(prompt={"type": "string", "maxLength": 3}, width={"type": "integer"})
    pointers = [fault.pointer for fault in model.faults("too long", {"width": "x", "a~b/c": 1})]
    assert sorted(pointers) == ["/parameters/a~0b~1c", "/parameters/width", "/prompt"]
