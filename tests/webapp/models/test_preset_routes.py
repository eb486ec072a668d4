"""Presets, for programs, for the composer and for the page of their model."""

import re
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tasks.curation import presets
from tasks.models import registry
from tests.webapp.browsers import PAGES

SDXL = "stability-ai/sdxl"
HTMX = {"HX-Request": "true"}
WIDE = {"model": SDXL, "name": "Wide", "parameters": {"width": 1280, "height": 768}}


async def test_a_program_saves_lists_and_deletes_presets(web: httpx.AsyncClient) -> None:
    made = await web.post("/presets", json=WIDE)
    assert made.status_code == 201
    assert (await web.get("/presets")).json() == {"presets": [made.json()]}
    assert {name: made.json()[name] for name in WIDE} == WIDE
    address = f"/presets/{made.json()['id']}"
    assert (await web.delete(address)).status_code == 204
    gone = await web.delete(address)
    assert (gone.status_code, gone.json()["code"]) == (404, "preset_not_found")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": ""}, "invalid_name"),
        ({"name": 5}, "invalid_name"),
        ({"name": "Taken"}, "invalid_name"),
        ({"model": "sdxl"}, "invalid_model"),
        ({"model": "no/such"}, "unknown_model"),
        ({"parameters": {"nope": 1}}, "invalid_parameters"),
        ({"parameters": [1]}, "invalid_parameters"),
        ({"more": 1}, "invalid_request"),
        ({"name": "", "parameters": 5}, "invalid_request"),
    ],
)
async def test_what_a_program_sends_wrong_is_refused(
    web: httpx.AsyncClient, standin: str, changed: dict[str, object], code: str
) -> None:
    await web.post("/presets", json=WIDE | {"name": "Taken"})
    answer = await web.post("/presets", json=WIDE | changed)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert len(await presets.all_of_them()) == 1


async def test_the_composer_saves_its_settings_but_not_the_prompt_the_seed_and_files(web: httpx.AsyncClient) -> None:
    form = {
        "prompt": "a fox", "model": SDXL, "preset_name": "Wide", "p.width": "1280", "p.height": "", "p.seed": "5",
        "p.image": "https://example.org/fox.png", "p.apply_watermark": "false",
    }  # fmt: skip
    answer = await web.post("/presets", data=form, headers=HTMX)
    assert answer.status_code == 200
    assert ">Wide</button>" in answer.text
    [preset] = await presets.of_model(SDXL)
    assert presets.settings_of(preset) == {"width": 1280, "apply_watermark": False}
    again = await web.post("/presets", data=form, headers=HTMX)
    assert again.status_code == 422
    assert "already has a preset named" in again.text
    assert 'value="Wide"' in again.text


async def test_without_scripts_saving_leads_back_to_the_same_form(web: httpx.AsyncClient) -> None:
    form = {"prompt": "a fox", "model": SDXL, "preset_name": "Wide", "p.width": "1280", "p.seed": "5"}
    answer = await web.post("/presets", data=form, headers=PAGES)
    assert answer.status_code == 303
    kept = parse_qs(urlsplit(answer.headers["location"]).query)
    assert kept == {"prompt": ["a fox"], "model": [SDXL], "p.width": ["1280"], "p.seed": ["5"]}
    refused = await web.post("/presets", data=form, headers=PAGES)
    assert refused.status_code == 422
    assert "already has a preset named" in refused.text


async def test_a_pressed_preset_fills_in_its_settings_and_leaves_prompt_seed_and_files(web: httpx.AsyncClient) -> None:
    model = registry.built_in(SDXL)
    assert model is not None
    preset = await presets.save(model, "Wide", {"width": 1280, "apply_watermark": False})
    form = {
        "preset": str(preset.id), "prompt": "a fox", "model": SDXL, "p.width": "64", "p.guidance_scale": "9",
        "p.seed": "5", "p.image": "https://example.org/fox.png",
    }  # fmt: skip
    page = (await web.get("/", params=form, headers=PAGES)).text
    assert 'name="p.width" value="1280"' in page
    assert 'name="p.seed" value="5"' in page
    assert 'name="p.image" value="https://example.org/fox.png"' in page
    assert 'name="p.guidance_scale" value=""' in page
    assert ">\na fox</textarea>" in page
    fragment = (await web.get("/composer", params=form, headers=HTMX)).text
    assert 'name="p.width" value="1280"' in fragment
    assert 'name="p.guidance_scale" value=""' in fragment
    other = (await web.get("/", params=form | {"model": "meta/musicgen"}, headers=PAGES)).text
    assert f'<option value="{SDXL}" title="{model.description}" selected' in other


async def test_a_ratio_is_a_button_that_fills_in_width_and_height_without_scripts(web: httpx.AsyncClient) -> None:
    page = (await web.get("/", params={"model": SDXL, "size": "928x1152"}, headers=PAGES)).text
    assert 'name="p.width" value="928"' in page
    assert 'name="p.height" value="1152"' in page
    assert re.search('value="928x1152" title="[^"]+" aria-pressed="true"', page)


@pytest.mark.parametrize("preset", ["0192d4a6-7a3e-7c21-9b55-0d6a3f1e2c84", "nonsense", ""])
async def test_a_preset_that_is_gone_says_so_and_leaves_the_form(web: httpx.AsyncClient, preset: str) -> None:
    page = (await web.get("/", params={"preset": preset, "p.width": "64", "model": SDXL}, headers=PAGES)).text
    assert "This preset was deleted." in page
    assert 'name="p.width" value="64"' in page


async def test_a_preset_is_renamed_and_deleted_on_the_page_of_its_model(web: httpx.AsyncClient) -> None:
    wide, tall = [(await web.post("/presets", json=WIDE | {"name": name})).json()["id"] for name in ("Wide", "Tall")]
    answer = await web.post(f"/presets/{wide}", data={"action": "rename", "name": "Broad"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/models/{SDXL}#presets")
    page = (await web.get(f"/models/{SDXL}", headers=PAGES)).text
    assert ">Broad</a>" in page
    assert "width 1280, height 768" in page
    taken = await web.post(f"/presets/{wide}", data={"action": "rename", "name": "Tall"})
    assert taken.status_code == 422
    assert "already has a preset named" in taken.text
    assert (await web.post(f"/presets/{wide}", data={"action": "burn"})).status_code == 400
    await web.post(f"/presets/{tall}", data={"action": "delete"})
    assert [row.name for row in await presets.all_of_them()] == ["Broad"]
    assert (await web.post(f"/presets/{tall}", data={"action": "delete"})).status_code == 404
