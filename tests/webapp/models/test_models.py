"""Which models there are, and what each takes."""

import httpx
import pytest

from tasks.models.registry import BUILT_IN
from tests.conftest import Faults


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
