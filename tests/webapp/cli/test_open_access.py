"""Darkroom starts where other machines reach it only with people who sign in, or if it is meant for anyone."""

import asyncio
import os
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tasks.settings import ROOT, settings
from tests import factories
from tests.servers import free_port
from tests.waiting import eventually
from webapp.cli.open_access import access_refused

OPEN = settings.model_copy(update={"host": "0.0.0.0"})
LINE = (
    "darkroom: HOST: 0.0.0.0 is open to the network, and nobody has to sign in yet. Add a person (darkroom people add"
    " NAME --admin), or set OPEN_ACCESS=anyone if everyone who reaches it may use it\n"
)


@pytest.fixture
def open_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the environment of the processes that are started."""
    monkeypatch.setenv("HOST", "0.0.0.0")


@pytest.mark.usefixtures("open_to_the_network")
@pytest.mark.parametrize("command", ["web", "up"])
async def test_without_people_it_does_not_start_and_says_so_in_one_line(
    command: str, new_database: Callable[[], Awaitable[str]], tmp_path: Path
) -> None:
    more = {"DATABASE_URL": await new_database(), "DATA_DIR": str(tmp_path), "PORT": str(free_port())}
    process = await started(command, more, PIPE)
    said, complained = await process.communicate()
    assert (process.returncode, said.decode(), complained.decode()) == (2, "", LINE)


@pytest.mark.usefixtures("open_to_the_network")
async def test_with_a_person_it_may_start() -> None:
    assert access_refused(OPEN) == 2
    await factories.person()
    assert access_refused(OPEN) == 0


@pytest.mark.once
@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.0.1", "localhost", "::1"])
def test_on_this_machine_alone_nobody_is_asked_for(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    local = settings.model_copy(update={"host": host})
    monkeypatch.setattr(subprocess, "run", None)
    assert access_refused(local) == 0


@pytest.mark.once
def test_it_may_be_meant_for_anyone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)
    assert access_refused(OPEN.model_copy(update={"open_access": "anyone"})) == 0


@pytest.mark.once
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.7.7", "darkroom.example.org", "fd00::5"])
def test_any_other_host_is_open_to_the_network(host: str) -> None:
    assert settings.model_copy(update={"host": host}).open_to_the_network


@pytest.fixture
async def served(open_to_the_network: None) -> AsyncIterator[str]:
    """Serve the tests' own database, in which there is a person, on all addresses, for a trusted proxy here."""
    await factories.person()
    port = free_port()
    trust = {"TRUSTED_USER_HEADER": "Remote-User", "TRUSTED_PROXIES": "127.0.0.1"}
    process = await started("web", trust | {"PORT": str(port)})
    address = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        async with httpx.AsyncClient() as client:
            with suppress(httpx.TransportError):
                return (await client.get(f"{address}/healthz")).status_code == 200
        return False

    try:
        await eventually(answers)
        yield address
    finally:
        process.terminate()
        await process.wait()


async def started(command: str, environment: dict[str, str], output: int | None = None) -> Process:
    """Start a command of Darkroom."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "webapp", command, cwd=ROOT, env=os.environ | environment, stdout=output, stderr=output
    )


@pytest.mark.skipif(sys.platform != "linux", reason="only there every address of 127.0.0.0/8 is this machine")
async def test_a_proxy_is_known_by_the_address_that_it_connects_from(served: str) -> None:
    for peer, forwarded_for, status in (
        ("127.0.0.1", "203.0.113.9", 200),
        ("127.0.0.2", "127.0.0.1", 303),
        ("127.0.0.2", "203.0.113.9", 303),
    ):
        headers = {"Accept": "text/html", "Remote-User": "anna", "X-Forwarded-For": forwarded_for}
        connection = httpx.AsyncHTTPTransport(local_address=peer)
        async with httpx.AsyncClient(transport=connection, base_url=served, headers=headers) as client:
            answer = await client.get("/account")
        assert answer.status_code == status
        assert ("<h1>anna</h1>" in answer.text) == (status == 200)
