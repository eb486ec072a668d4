"""Programs that repeat what failed, with their idempotency keys, while the web process is killed."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tasks.settings import ROOT
from tests import servers

KEYS, POSTS, CONNECTIONS, KILLS = 500, 1000, 16, 2


class Web:
    """A web process, which is started again when it was killed."""

    def __init__(self, environment: dict[str, str], log: Path) -> None:
        self._environment, self._log = environment, log
        self.address = f"http://127.0.0.1:{environment['PORT']}"
        self.begin()

    def begin(self) -> None:
        command = [sys.executable, "-m", "webapp", "web"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self._environment, cwd=ROOT, stdout=log, stderr=log)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(30)


@pytest.fixture
async def web(new_database: Callable[[], Awaitable[str]], tmp_path: Path) -> AsyncIterator[Web]:
    own = {
        "DATABASE_URL": await new_database(),
        "DATA_DIR": str(tmp_path / "data"),
        "STORAGE_URL": str(tmp_path / "media"),
        "PORT": str(servers.free_port()),
    }
    web = Web({**os.environ, **own}, tmp_path / "log")
    yield web
    web.kill()


async def test_a_thousand_posts_with_half_as_many_keys_make_a_job_for_each_key(web: Web) -> None:
    left, done, jobs = iter(range(POSTS)), 0, dict[str, set[str]]()

    async def post(client: httpx.AsyncClient, number: int) -> None:
        """Post until the response comes, as a program does that lost it."""
        key = str(number % KEYS)
        body, headers = {"prompt": f"a fox of {key}"}, {"Idempotency-Key": key}
        while True:
            with suppress(httpx.TransportError):
                answer = await client.post("/generate", json=body, headers=headers)
                if answer.status_code == 202:
                    jobs.setdefault(key, set()).add(answer.json()["job_id"])
                    return
            await asyncio.sleep(0.05)

    async def program(client: httpx.AsyncClient) -> None:
        nonlocal done
        for number in left:
            await post(client, number)
            done += 1

    async def killer() -> None:
        for kill in range(1, KILLS + 1):
            while done < POSTS * kill // (KILLS + 1):  # noqa: ASYNC110  # no event says when
                await asyncio.sleep(0.005)
            web.kill()
            web.begin()

    async with asyncio.timeout(100), httpx.AsyncClient(base_url=web.address, timeout=30) as client:
        await asyncio.gather(killer(), *(program(client) for _ in range(CONNECTIONS)))
        listed, address = list[str](), "/jobs.json?limit=200"
        while address:
            page = (await client.get(address)).raise_for_status().json()
            listed += [job["prompt"] for job in page["jobs"]]
            address = page.get("next", "")
    assert len(jobs) == KEYS
    assert {len(ids) for ids in jobs.values()} == {1}, "each key has one job"
    assert sorted(listed) == sorted(f"a fox of {key}" for key in jobs), "and no job was made besides"
