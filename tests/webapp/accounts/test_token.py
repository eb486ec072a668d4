"""A token is tried out before it is used, is kept only if asked, and is seen nowhere."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from tasks.accounts import audit
from tasks.settings import settings
from tests.conftest import Faults
from webapp.accounts import token as token_page
from webapp.app import create_app
from webapp.render import templates

TOKEN = "r8_0123456789abcdefghijklmnopqrstuvwxyz"


class Entered:
    """A Darkroom that can start again, with its .env, and the tokens with which it was to start again."""

    def __init__(self, web: httpx.AsyncClient, env_file: Path, tokens: list[str]) -> None:
        self.web, self.env_file, self.tokens = web, env_file, tokens

    async def enter(self, **form: str) -> httpx.Response:
        return await self.web.post("/settings/token", data=form)


@pytest.fixture
async def entered(
    standin: str, database: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Entered]:
    tokens: list[str] = []
    app = create_app(tokens.append)
    monkeypatch.setattr(token_page, "ENV_FILE", tmp_path / ".env")
    transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's names for the same types
    async with httpx.AsyncClient(transport=transport, base_url="http://darkroom.test") as web:
        yield Entered(web, tmp_path / ".env", tokens)
    await app.state.replicate.aclose()


async def test_a_token_that_is_accepted_starts_darkroom_again_and_is_forgotten(entered: Entered) -> None:
    assert 'action="/settings/token"' in (await entered.web.get("/settings/token")).text
    answer = await entered.enter(token=f" {TOKEN}\n")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert "Starting again" in answer.text
    assert entered.tokens == [TOKEN]
    assert not entered.env_file.exists()
    [noted] = await audit.latest(1)
    assert (noted.action, noted.after) == ("token entered", '{"kept": false}')


async def test_it_is_kept_beside_what_env_has(entered: Entered) -> None:
    entered.env_file.write_text("# mine\nPORT=9000\nREPLICATE_API_TOKEN=\n")
    assert (await entered.enter(token=TOKEN, keep="yes")).status_code == 200
    lines = entered.env_file.read_text().splitlines()
    assert lines[:2] == ["# mine", "PORT=9000"]
    assert lines[2:] == [f"REPLICATE_API_TOKEN='{TOKEN}'"]
    assert entered.tokens == [TOKEN]


async def test_one_that_replicate_refuses_is_not_used(entered: Entered, faults: Faults) -> None:
    await faults.script({"on": "account", "do": "status", "status": 401})
    answer = await entered.enter(token=TOKEN, keep="yes")
    assert answer.status_code == 422
    assert "Replicate does not accept this token." in answer.text
    assert TOKEN not in answer.text
    assert entered.tokens == []
    assert not entered.env_file.exists()


async def test_while_replicate_does_not_answer_none_is_used(entered: Entered, faults: Faults) -> None:
    await faults.script({"on": "account", "do": "status", "status": 500, "times": 0})
    answer = await entered.enter(token=TOKEN)
    assert answer.status_code == 422
    assert "cannot try the token out now" in answer.text
    assert entered.tokens == []


@pytest.mark.parametrize("token", ["", "short", "two words of it", "r8_with\nPORT=1", "r8_ümläut0", "r" * 300])
async def test_what_is_no_token_is_told(entered: Entered, token: str) -> None:
    answer = await entered.enter(token=token, keep="yes")
    assert answer.status_code == 422
    assert "This is no token" in answer.text
    assert not entered.env_file.exists()


async def test_an_env_that_cannot_be_written_is_told(entered: Entered) -> None:
    entered.env_file.mkdir()
    answer = await entered.enter(token=TOKEN, keep="yes")
    assert answer.status_code == 422
    assert ".env cannot be written" in answer.text
    assert entered.tokens == []


async def test_parts_that_are_started_one_by_one_take_none(web: httpx.AsyncClient) -> None:
    assert "one by one" in (await web.get("/settings/token")).text
    answer = await web.post("/settings/token", data={"token": TOKEN})
    assert answer.status_code == 409
    assert "one by one" in answer.text


async def test_a_token_that_is_set_is_not_replaced(entered: Entered, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        token_page, "settings", settings.model_copy(update={"replicate_api_token": SecretStr("r8_another")})
    )
    monkeypatch.setitem(templates.environment.globals, "standin", False)
    answer = await entered.enter(token=TOKEN)
    assert answer.status_code == 409
    assert "A token is in use" in answer.text
    assert entered.tokens == []
