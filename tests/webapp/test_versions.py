"""Processes of an earlier version and of today's at work on one database, as while they are restarted one by one."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from tests import servers
from tests.history import check_out, git
from tests.processes import ROOT, Process, answers, environment
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

NewDatabase = Callable[[], Awaitable[str]]

CHANGES = 3
"""How many changes of the migrations may lie between the earlier version and today's."""
NAMES_COLUMNS = "tasks/db/columns.py"
"""Workers of a version without this file cannot run beside a version that gives jobs another column."""
OF_JOBS = 'tablename="job"'


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: these tests have another one."""


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the code of an earlier version, which lacks some of today's migrations."""
    last = git("rev-list", "--first-parent", f"--max-count={CHANGES}", "HEAD", "--", "piccolo_migrations").split()
    usable = [before for before in (f"{commit}^" for commit in last) if may_run_beside_today(before)]
    if not usable:
        pytest.skip("no earlier version here may run beside today's")
    folder = tmp_path_factory.mktemp("earlier")
    check_out(usable[-1], folder)
    return folder


def may_run_beside_today(commit: str) -> bool:
    if git("ls-tree", "--name-only", commit, NAMES_COLUMNS):
        return True
    known = git("ls-tree", "--name-only", commit, "piccolo_migrations/").split()
    added = [
        path for path in (ROOT / "piccolo_migrations").glob("*.py") if f"piccolo_migrations/{path.name}" not in known
    ]
    return not any(OF_JOBS in path.read_text() for path in added)


class Site:
    """A database, Redis and storage, and the processes of two versions that share them."""

    def __init__(self, folder: Path, stack: AsyncExitStack, settings: dict[str, str]) -> None:
        self._folder, self._stack, self._settings = folder, stack, settings
        self._tether = stack.enter_context(Tether())
        self._client = httpx.AsyncClient(timeout=30)
        stack.push_async_callback(self._client.aclose)

    def start(self, name: str, root: Path = ROOT, **settings: str) -> Process:
        log = self._folder / f"{name}-of-{root.name}.log"
        process = Process(name, self._settings | settings, self._tether, log, root=root)
        process.start()
        self._stack.callback(process.kill)
        return process

    async def web(self, root: Path = ROOT) -> str:
        """Start a web server. Returns its address."""
        port = servers.free_port()
        self.start("web", root, PORT=str(port))
        address = f"http://127.0.0.1:{port}"
        await eventually(lambda: answers(self._client, f"{address}/healthz"))
        return address

    async def makes(self, by: str, watched_at: str) -> bool:
        """Submit a job to one web server, and follow it at another to its end. Returns whether its file is there."""
        body = {"prompt": "a fox in the snow", "parameters": {"width": 64, "height": 64}}
        job_id = (await self._client.post(f"{by}/generate", json=body)).raise_for_status().json()["job_id"]
        async with self._client.stream("GET", f"{watched_at}/jobs/{job_id}/events") as events:
            told = [json.loads(line[6:]) async for line in events.aiter_lines() if line.startswith("data: {")]
        assert (told[0]["job_id"], told[-1]["status"]) == (job_id, "completed"), told[-1]
        for address in (by, watched_at):
            for path in ("/", f"/jobs/{job_id}", told[-1]["result_url"]):
                (await self._client.get(address + path, headers={"Accept": "text/html"})).raise_for_status()
        return True

    def errors(self) -> list[str]:
        lines = [line for log in self._folder.glob("*.log") for line in log.read_text().splitlines()]
        return [line for line in lines if " ERROR " in line]


@pytest.fixture
async def site(new_database: NewDatabase, standin: str, tmp_path: Path) -> AsyncIterator[Site]:
    (tmp_path / "data").mkdir()
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(servers.valkey())
        yield Site(tmp_path, stack, environment(tmp_path, await new_database(), redis, standin, PRICE_LOOKUP="false"))


async def test_each_version_s_web_and_worker_work_with_those_of_the_other(site: Site, earlier: Path) -> None:
    old_web, old_worker = await site.web(earlier), site.start("worker", earlier)
    assert await site.makes(old_web, watched_at=old_web)
    new_web = await site.web()  # runs the migrations, under the processes of the earlier version
    assert await site.makes(new_web, watched_at=old_web)
    new_worker = site.start("worker")
    assert await old_worker.stop()
    assert await site.makes(old_web, watched_at=new_web)
    site.start("worker", earlier)  # restarts, and finds a database that is newer than itself
    assert await new_worker.stop()
    assert await site.makes(new_web, watched_at=new_web)
    assert site.errors() == []
