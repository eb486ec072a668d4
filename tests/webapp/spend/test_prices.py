"""/prices lists what models cost; admins set prices of their own there, and take them back."""

import re
from uuid import uuid4

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.db.money_tables import ModelPrice
from tests import factories
from tests.factories import FLUX

PAGE = {"Accept": "text/html"}
OWN = {"model": FLUX, "amount": "0.04", "unit": "per output image"}


async def admin() -> dict[str, str]:
    return PAGE | await factories.session_of(await factories.person("anna", Role.ADMIN))


def entry_of(page: str, model: str = FLUX) -> str:
    """Return the words of a page about a model, without the tags."""
    found = page.partition(f'<p class="price-model">{model}</p>')[2].partition('<p class="price-model">')[0]
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


async def test_the_open_house_sees_prices_with_their_source_and_no_form(web: httpx.AsyncClient) -> None:
    page = (await web.get("/prices", headers=PAGE)).text
    assert entry_of(page) == "$3.00 per thousand output images Its page , checked 1 Oct 2026"
    assert f'href="https://replicate.com/{FLUX}"' in page
    assert entry_of(page, "stability-ai/sdxl") == "not known"
    assert "$0.101 per output image (resolution 2K)" in entry_of(page, "google/nano-banana-2")
    assert "<form" not in page
    assert (await web.post("/prices", data=OWN)).status_code == 403


async def test_an_admin_sets_a_price_that_counts_at_once_and_takes_it_back(web: httpx.AsyncClient) -> None:
    session = await admin()
    body = {"prompt": "a fox", "model": FLUX}
    key = await factories.key_of(await factories.person("robot", Role.SERVICE), "submit")
    assert (await web.post("/estimate", json=body, headers=key)).json()["low"] == "0.003"
    answer = await web.post("/prices", data=OWN, headers=session)
    assert (answer.status_code, answer.headers["location"]) == (303, "/prices")
    estimate = (await web.post("/estimate", json=body, headers=key)).json()
    assert (estimate["low"], estimate["price"]["source"]) == ("0.04", "/prices")
    page = (await web.get("/prices", headers=session)).text
    assert "$0.04 per output image Set here on" in entry_of(page)
    [row] = await ModelPrice.objects()
    assert f'action="/prices/{row.id}/take-back"' in page
    assert (await web.post(f"/prices/{row.id}/take-back", headers=session)).status_code == 303
    assert (await web.post("/estimate", json=body, headers=key)).json()["low"] == "0.003"
    words = entry_of((await web.get("/prices", headers=session)).text)
    assert words.startswith("$3.00 per thousand output images")
    assert re.search(r"UTC taken back .*UTC set here \$0\.04 per output image", words)
    assert (await web.post(f"/prices/{row.id}/take-back", headers=session)).status_code == 404


async def test_a_price_for_a_model_that_is_not_known_yet_is_listed(web: httpx.AsyncClient) -> None:
    session = await admin()
    own = OWN | {"model": "anna/own-model", "unit": "per second of compute"}
    assert (await web.post("/prices", data=own, headers=session)).status_code == 303
    assert "$0.04 per second of compute" in entry_of((await web.get("/prices", headers=session)).text, own["model"])


@pytest.mark.parametrize(
    ("change", "field"), [({"model": "flux"}, "model"), ({"amount": "0"}, "amount"), ({"unit": "per dozen"}, "unit")]
)
async def test_a_fault_is_shown_where_it_is(web: httpx.AsyncClient, change: dict[str, str], field: str) -> None:
    answer = await web.post("/prices", data=OWN | change, headers=await admin())
    assert answer.status_code == 422
    assert answer.text.count('class="spend-fault"') == 1
    assert (
        f'aria-describedby="{field}-fault"'
        in answer.text.partition(f'id="{field}" name="{field}"')[2].partition(">")[0]
    )
    assert not await ModelPrice.exists()


async def test_members_do_not_see_prices_and_set_none(web: httpx.AsyncClient) -> None:
    session = await factories.session_of(await factories.person("ben"))
    assert (await web.get("/prices", headers=session)).status_code == 403
    assert (await web.post("/prices", data=OWN, headers=session)).status_code == 403
    assert (await web.post(f"/prices/{uuid4()}/take-back", headers=session)).status_code == 403
