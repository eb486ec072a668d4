"""The page of settings: what works, what is in force, and no secret."""

import re

import httpx

from tasks.health.doctor import CHECKS
from tasks.settings import Settings, settings


async def test_the_page_has_every_check_and_every_setting(web: httpx.AsyncClient, standin: str) -> None:
    page = await web.get("/settings")
    assert page.headers["Cache-Control"] == "no-store"
    health = re.findall(r'<li class="setting" data-state="(\w+)"><span>(\w+)</span>', page.text)
    assert [name.lower() for _, name in health] == [*CHECKS]
    assert {name: state for state, name in health}["Database"] == "ok"
    assert set(re.findall(r"<dt><code>([A-Z_]+)</code></dt>", page.text)) == {
        name.upper() for name in Settings.model_fields
    }
    set_here = page.text.partition('id="given-title"')[2].partition('id="defaults-title"')[0]
    assert "<code>DATABASE_URL</code>" in set_here
    assert settings.storage_url in page.text


async def test_the_page_sets_nothing(web: httpx.AsyncClient) -> None:
    assert (await web.post("/settings", data={"PORT": "1"})).status_code == 405
