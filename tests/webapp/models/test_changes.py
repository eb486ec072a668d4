"""Models are added by their address at Replicate, starred, and hidden from the composer's menu."""

import httpx
import pytest

from tasks.curation import model_marks
from tasks.models import registry
from tests.conftest import Faults
from tests.webapp.browsers import PAGES

SDXL = "stability-ai/sdxl"


def version() -> str:
    model = registry.built_in(SDXL)
    assert model is not None
    assert model.version is not None
    return model.version


async def test_a_model_is_added_by_the_address_of_its_page(web: httpx.AsyncClient, standin: str) -> None:
    name = f"{SDXL}:{version()}"
    await model_marks.hide(name, True)
    answer = await web.post("/models", data={"address": f"https://replicate.com/{SDXL}/versions/{version()}"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/models/{name}")
    assert name in [model.name for model in await registry.known()]
    assert f'<option value="{name}"' in (await web.get("/", headers=PAGES)).text
    assert (await web.get(f"/models/{name}", headers=PAGES)).status_code == 200


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("https://replicate.com/no/such", "Replicate has no model no/such."),
        ("https://example.org/a/b", "Paste the address of a model at Replicate"),
        ("", "Paste the address of a model at Replicate"),
        ("a/b\0", "Paste the address of a model at Replicate"),
    ],
)
async def test_what_is_no_model_is_refused_with_what_was_typed(
    web: httpx.AsyncClient, standin: str, address: str, fault: str
) -> None:
    answer = await web.post("/models", data={"address": address})
    assert answer.status_code == 422
    assert fault in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert {model.name for model in await registry.known()} == set(registry.BUILT_IN)


async def test_while_replicate_is_away_nothing_is_added(web: httpx.AsyncClient, faults: Faults) -> None:
    await faults.script({"on": "any", "do": "status", "status": 503, "times": 0})
    answer = await web.post("/models", data={"address": "someone/something"})
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert len(await registry.known()) == len(registry.BUILT_IN)


async def test_a_model_without_a_prompt_is_not_added(web: httpx.AsyncClient) -> None:
    silent = registry.Model("some/upscaler", None, True, "", {"Input": {"properties": {"image": {"type": "string"}}}})
    await registry.keep(silent)
    answer = await web.post("/models", data={"address": "some/upscaler"})
    assert answer.status_code == 422
    assert "does not accept a text prompt" in answer.text


async def test_a_hidden_model_leaves_the_menu_unless_it_is_chosen(web: httpx.AsyncClient) -> None:
    headers = {"Referer": "http://darkroom.test/models"}
    answer = await web.post(f"/models/{SDXL}", data={"action": "hide"}, headers=headers)
    assert (answer.status_code, answer.headers["location"]) == (303, "/models#model-stability-ai-sdxl")
    option = f'<option value="{SDXL}"'
    assert option not in (await web.get("/?model=meta/musicgen", headers=PAGES)).text
    assert option in (await web.get(f"/?model={SDXL}", headers=PAGES)).text
    assert [model["name"] for model in (await web.get("/models")).json()["models"]].count(SDXL) == 1
    await web.post(f"/models/{SDXL}", data={"action": "show"})
    assert option in (await web.get("/?model=meta/musicgen", headers=PAGES)).text


async def test_a_starred_model_is_the_first_of_the_menu(web: httpx.AsyncClient) -> None:
    await web.post("/models/google/nano-banana", data={"action": "star"})
    page = (await web.get("/", headers=PAGES)).text
    assert page.index('<option value="google/nano-banana"') < page.index(f'<option value="{SDXL}"')
    await web.post("/models/google/nano-banana", data={"action": "unstar"})
    page = (await web.get("/", headers=PAGES)).text
    assert page.index('<option value="google/nano-banana"') > page.index(f'<option value="{SDXL}"')


async def test_an_unknown_action_or_model_changes_nothing(web: httpx.AsyncClient, standin: str) -> None:
    assert (await web.post(f"/models/{SDXL}", data={"action": "burn"})).status_code == 400
    assert (await web.post("/models/no/such", data={"action": "star"})).status_code == 404
    assert await model_marks.all_of_them() == {}
