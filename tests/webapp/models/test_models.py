"""Which models there are, and what each takes."""

import re

import httpx
import pytest

from tasks.curation import model_marks
from tasks.models.registry import BUILT_IN
from tests import factories
from tests.conftest import Faults
from tests.webapp.browsers import PAGES


async def test_the_models_to_choose_from_are_listed(web: httpx.AsyncClient) -> None:
    answer = await web.get("/models")
    listed = {model["name"]: model["kind"] for model in answer.json()["models"]}
    assert listed == BUILT_IN
    again = await web.get("/models", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_a_model_comes_with_the_schema_of_its_input_and_the_defaults_in_it(web: httpx.AsyncClient) -> None:
    model = (await web.get("/models/stability-ai/sdxl")).json()
    assert (model["name"], model["kind"]) == ("stability-ai/sdxl", "image")
    assert model["input_schema"]["properties"]["width"]["type"] == "integer"
    assert model["defaults"]["width"] == model["input_schema"]["properties"]["width"]["default"]
    assert "seed" not in model["defaults"]


@pytest.mark.parametrize("name", ["no/such", "no/such:" + "0" * 64, "white%20space/model", "a/" + "x" * 300])
async def test_a_model_that_is_not_there_is_not_found(web: httpx.AsyncClient, standin: str, name: str) -> None:
    answer = await web.get(f"/models/{name}")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


async def test_while_replicate_is_away_it_says_so(web: httpx.AsyncClient, faults: Faults) -> None:
    await faults.script({"on": "any", "do": "status", "status": 503, "times": 0})
    answer = await web.get("/models/someone/something")
    assert answer.status_code == 503
    assert "retry-after" in answer.headers


async def test_browsers_get_a_page_with_what_the_house_has_made(web: httpx.AsyncClient) -> None:
    job = await factories.paid()
    page = await web.get("/models", headers=PAGES)
    card = page.text.partition('id="model-black-forest-labs-flux-schnell"')[2].partition("</li>\n  <li")[0]
    assert "text/html" in page.headers["content-type"]
    assert page.headers["vary"].startswith("Accept")
    assert "$0.003 a picture" in card
    assert '">1</a>' in card
    model = (await web.get(f"/models/{factories.FLUX}", headers=PAGES)).text
    assert f'href="/jobs/{job.id}"' in model
    assert "a whole number, 1 to 4; default 1" in model


async def test_an_audio_and_a_video_model_say_what_they_take(web: httpx.AsyncClient) -> None:
    page = (await web.get("/models", headers=PAGES)).text
    for name, words in (("meta-musicgen", ("Audio", "Duration", "Seed")), ("google-nano-banana", ("Pictures",))):
        takes = page.partition(f'id="model-{name}"')[2].partition('aria-label="Takes">')[2].partition("</ul>")[0]
        assert all(f"<li>{word}</li>" in takes for word in words), name


async def test_the_starred_come_first_then_those_used_most(web: httpx.AsyncClient) -> None:
    await factories.paid()
    await model_marks.star("meta/musicgen", True)
    page = (await web.get("/models", headers=PAGES)).text
    cards = re.findall(r'<li class="model" id="model-([\w-]+)"', page)
    assert cards[:3] == ["meta-musicgen", "black-forest-labs-flux-schnell", "stability-ai-sdxl"]
