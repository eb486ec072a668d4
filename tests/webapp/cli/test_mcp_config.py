"""`darkroom mcp config` prints what to paste into the programs that agents live in."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from tasks.settings import ROOT, settings
from tests import factories
from webapp.__main__ import _parser
from webapp.cli.mcp_config import CLIENTS, lines

SERVED = settings.model_copy(update={"host": "0.0.0.0", "port": 8123, "public_url": ""})
HEADERS = {"Authorization": "Bearer dk_..."}


async def printed(*words: str, **environment: str) -> str:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webapp", "mcp", "config", *words, cwd=ROOT, env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    return said.decode()


async def test_a_key_has_its_place_as_soon_as_there_are_people() -> None:
    assert json.loads(await printed("--client", "vscode", PORT="8123")) == {
        "servers": {"darkroom": {"type": "http", "url": "http://127.0.0.1:8123/mcp"}}
    }
    await factories.person()
    assert json.loads(await printed("--client", "cursor", PUBLIC_URL="https://pictures.example")) == {
        "mcpServers": {"darkroom": {"url": "https://pictures.example/mcp", "headers": HEADERS}}
    }


@pytest.mark.once
async def test_of_another_darkroom_nothing_is_asked() -> None:
    away = {"DARKROOM_URL": "https://pictures.example/", "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    said = await printed("--client", "claude-code", **away)
    assert said == (
        "claude mcp add --transport http darkroom https://pictures.example/mcp"
        ' --header "Authorization: Bearer dk_..."\n'
    )


@pytest.mark.once
@pytest.mark.parametrize("with_key", [False, True])
def test_without_a_client_each_is_told_with_its_place(with_key: bool) -> None:
    said = "\n".join(lines(SERVED, with_key, None))
    for client, (place, _) in CLIENTS.items():
        assert f"# {place}\n{lines(SERVED, with_key, client)[0]}" in said
    assert said.count("http://127.0.0.1:8123/mcp") == len(CLIENTS)
    assert ("darkroom keys add NAME agent --scope submit --scope read" in said) == with_key


@pytest.mark.once
def test_the_command_takes_every_client_and_no_other() -> None:
    asked: list[Any] = [_parser().parse_args(["mcp", "config", "--client", client]).client for client in CLIENTS]
    assert asked == list(CLIENTS)
    with pytest.raises(SystemExit):
        _parser().parse_args(["mcp", "config", "--client", "emacs"])
