"""Nothing that web, worker and stand-in print has a secret, a prompt or a parameter in it, whatever goes wrong."""

import asyncio
import json
import re
import sqlite3
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx
import pytest
from redis.asyncio import Redis
from standardwebhooks import Webhook

from tests import servers
from tests.processes import ROOT, Process, answers, environment
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

TOKEN = "r8_0123456789abcdefghijklmnopqrstuvwxyz"
DATABASE_PASSWORD, REDIS_PASSWORD, PASSWORD = "of-the-database", "of-the-cache", "walrus battery staple"
WEBHOOK_KEY = b64encode(b"what Replicate signs with").decode()
PROMPT, PARAMETER = "an axolotl in the attic", "no parakeets"
PATH_OF_A_RECEIVER, QUERY_OF_A_RECEIVER = "T0PSECRETPATH", "T0PSECRETQUERY"
REFUSED_KEY = "dk_" + "9" * 38
LINE = re.compile(r"\d\d:\d\d:\d\d (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) [\w.]+: ")


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: no test here uses it."""


@dataclass
class Site:
    """A web process, a worker and a stand-in, and what nobody may read in their logs."""

    folder: Path
    settings: dict[str, str]
    redis: str
    client: httpx.AsyncClient
    secrets: set[str] = field(default_factory=set)
    key: str = ""

    def log(self, part: str) -> str:
        return (self.folder / f"{part}.log").read_text()

    async def script(self, *rules: dict[str, Any]) -> None:
        """Script faults of the stand-in."""
        address = self.settings["REPLICATE_API_URL"].removesuffix("/v1")
        async with httpx.AsyncClient(base_url=address) as standin:
            (await standin.post("/_standin/pace", json={"pace": 0.05})).raise_for_status()
            (await standin.post("/_standin/faults", json=list(rules))).raise_for_status()

    async def add(self, name: str, *words: str) -> str:
        """Add a person. Returns the path of the link that sets the password."""
        command = [sys.executable, "-m", "webapp", "people", "add", name, *words]
        told = await asyncio.to_thread(subprocess.check_output, command, cwd=ROOT, env=self.settings, text=True)
        link = re.search(r"/welcome/([\w-]+)", told)
        assert link, told
        self.secrets.add(link[1])
        return link[0]

    async def post(self, prompt: str, **more: Any) -> str:
        """Send a prompt. Returns the job's id."""
        parameters = {"width": 64, "height": 64, "negative_prompt": PARAMETER}
        body = {"prompt": f"{PROMPT}: {prompt}", "parameters": parameters, **more}
        answer = await self.client.post("/generate", json=body, headers={"Authorization": f"Bearer {self.key}"})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    async def ended(self, job_id: str) -> str:
        """Return the status of a job, or the code of its error, when it has ended."""
        job: dict[str, Any] = {}

        async def has_ended() -> bool:
            answer = await self.client.get(f"/status/{job_id}", headers={"Authorization": f"Bearer {self.key}"})
            job.update(answer.json())
            return job["status"] in ("completed", "failed")

        await eventually(has_ended)
        return str(job.get("error_code") or job["status"])

    async def execute(self, sqlite: str, postgres: str) -> None:
        """Change the database behind Darkroom's back."""
        url = self.settings["DATABASE_URL"]
        if url.startswith("sqlite"):
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=30)) as connection, connection:
                connection.execute(sqlite)
            return
        connected = await asyncpg.connect(url)
        try:
            await connected.execute(postgres)
        finally:
            await connected.close()

    async def refuse(self, table: str, condition: str, words: str) -> None:
        """Let every INSERT that meets a condition fail with an error that quotes these words."""
        trigger, refuse = f"CREATE TRIGGER refusing_{table} BEFORE INSERT ON {table}", f"refuse_{table}"
        await self.execute(
            f"{trigger} WHEN {condition} BEGIN SELECT RAISE(ABORT, '{words}'); END",
            f"CREATE FUNCTION {refuse}() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION '{words}'; END$$;"
            f"{trigger} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {refuse}()",
        )


@asynccontextmanager
async def running(folder: Path, database_url: str, log_format: str) -> AsyncIterator[Site]:
    """Run web, worker and stand-in while the block runs; they have stopped, in order, when the context exits."""
    port, standin_port = servers.free_port(), servers.free_port()
    with ExitStack() as stack:
        redis = stack.enter_context(servers.valkey())
        tether = stack.enter_context(Tether())
        async with Redis.from_url(redis) as operator:
            await operator.config_set("requirepass", REDIS_PASSWORD)
        with_password = redis.replace("unix://", f"unix://:{REDIS_PASSWORD}@")
        settings = environment(
            folder, database_url.replace("darkroom@", f"darkroom:{DATABASE_PASSWORD}@"), with_password,
            f"http://127.0.0.1:{standin_port}", PORT=str(port), STANDIN_PORT=str(standin_port), LOG_LEVEL="info",
            LOG_FORMAT=log_format, MAX_ATTEMPTS="1", REPLICATE_API_TOKEN=TOKEN, WEBHOOK_ALLOWED_HOSTS="127.0.0.1",
            REPLICATE_WEBHOOK_SECRET=f"whsec_{WEBHOOK_KEY}",
        )  # fmt: skip
        (folder / "data").mkdir()
        parts = [Process(name, settings, tether, folder / f"{name}.log") for name in ("standin", "web", "worker")]
        for part in parts:
            stack.callback(part.kill)
            part.start()
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            site = Site(folder, settings, with_password, client)
            await eventually(lambda: answers(client, "/healthz"))
            await eventually(lambda: answers(client, f"http://127.0.0.1:{standin_port}/v1/account"))
            yield site
        for part in reversed(parts):
            assert await part.stop(), part.log.read_text()


async def sign_in(site: Site) -> None:
    """Let a person join, sign in rightly and wrongly, and make a key."""
    link = await site.add("anna", "--admin")
    answer = await site.client.post(link, data={"password": PASSWORD})
    assert answer.status_code == 303, answer.text
    again = await site.client.post("/sign-in", data={"name": "anna", "password": PASSWORD})
    await site.client.post("/sign-in", data={"name": "anna", "password": f"not {PASSWORD}"})
    made = await site.client.post("/account/keys", data={"name": "ci", "scope": ["submit", "read"]})
    key = re.search(r"dk_\w{38}", made.text)
    assert key, made.text
    site.key = key[0]
    site.secrets |= {site.key, *(cookie for each in (answer, again) for cookie in each.cookies.values())}


async def show_secrets(site: Site) -> None:
    """Send what is secret where it does not belong."""
    client, basic = site.client, b64encode(f"anna:{site.key}".encode()).decode()
    site.secrets |= {basic, basic.rstrip("=")}
    for path in (f"/status/{site.key}", f"/jobs.json?key={site.key}", f"/nope/{site.key}?q={quote(PROMPT)}"):
        await client.get(path, headers={"Authorization": f"Basic {basic}", "X-Request-ID": site.key})
    await client.get("/jobs.json", headers={"Authorization": f"Bearer {REFUSED_KEY}"})
    body, at = json.dumps({"id": "x", "input": {"prompt": PROMPT}}), datetime.now(UTC)
    signature = Webhook(f"whsec_{b64encode(WEBHOOK_KEY.encode()).decode()}").sign("a", at, body)
    signed = {"webhook-id": "a", "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": signature}
    await client.post("/webhooks/replicate", content=body, headers=signed)
    assert "signature does not match" in site.log("web")


async def fail_at_replicate(site: Site) -> dict[str, str]:
    """Let Replicate and models fail, with words that quote what was sent. Returns the jobs' ids by their codes."""
    quoting = f"Nothing like '{PROMPT}' with {PARAMETER}, please ({TOKEN})."
    await site.script(
        {"on": "create", "match": "refused", "do": "status", "status": 422, "body": {"detail": quoting}},
        {"on": "create", "match": "failing", "do": "fail_prediction", "error": quoting},
        {"on": "create", "match": "moderated", "do": "fail_prediction", "error": f"NSFW: {quoting}"},
        {"on": "get", "do": "status", "status": 500, "body": {"detail": quoting}},
    )  # fmt: skip
    jobs = {name: await site.post(name) for name in ("refused", "failing", "moderated")}
    codes = [await site.ended(job) for job in jobs.values()]
    assert codes == ["invalid_input", "model_error", "moderated"]
    return dict(zip(codes, jobs.values(), strict=True))


async def fail_inside(site: Site) -> tuple[str, list[str]]:
    """Let Darkroom have internal errors that quote what was sent.

    Returns the id of the job that has one, and those of the requests that have one.
    """
    quoting = f"no room for {PROMPT}, {PARAMETER}, {PASSWORD} and {site.key}"
    await site.refuse("attempt", "CAST(NEW.input AS TEXT) LIKE '%unheard%'", quoting)
    await site.refuse("job", "NEW.prompt LIKE '%unseen%'", quoting)
    await site.refuse("session", "1 = 1", quoting)
    job = await site.post("unheard")
    assert await site.ended(job) == "internal_error"
    body = {"prompt": f"{PROMPT}: unseen", "parameters": {"negative_prompt": PARAMETER}}
    failed = [
        await site.client.post("/generate", json=body, headers={"Authorization": f"Bearer {site.key}"}),
        await site.client.post("/sign-in", data={"name": "anna", "password": PASSWORD}),
        await site.client.post(await site.add("berta"), data={"password": PASSWORD}),
    ]
    assert [answer.status_code for answer in failed] == [500] * 3
    return job, [answer.headers["X-Request-ID"] for answer in failed]


async def lose_servers(site: Site) -> None:
    """Send to a receiver that is away, send what is no HTTP, lose Redis, and have the token refused."""
    receiver = f"http://127.0.0.1:{servers.free_port()}/{PATH_OF_A_RECEIVER}?token={QUERY_OF_A_RECEIVER}"
    await site.ended(await site.post("told", webhook=receiver))
    reading, writing = await asyncio.open_connection("127.0.0.1", int(site.settings["PORT"]))
    writing.write(f"{site.key} {PROMPT}\r\n\r\n".encode())
    assert b"400 Bad Request" in await reading.read()
    writing.close()
    async with Redis.from_url(site.redis) as operator:
        await operator.config_set("requirepass", f"not {REDIS_PASSWORD}")
        for kind in ("pubsub", "normal"):
            await operator.client_kill_filter(_type=kind, skipme=True)
    await site.script({"on": "create", "do": "status", "status": 401, "times": 0, "body": {"detail": TOKEN}})
    await site.post("halted")

    async def is_told() -> bool:
        worker, web = site.log("worker"), site.log("web")
        return "webhook " in worker and "The queue is halted" in worker and "Redis at" in worker and "Redis at" in web

    await eventually(is_told)


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_no_log_has_a_secret_a_prompt_or_a_parameter(
    tmp_path: Path, new_database: Callable[[], Awaitable[str]], log_format: str
) -> None:
    async with running(tmp_path, await new_database(), log_format) as site:
        await sign_in(site)
        assert await site.ended(await site.post("fine")) == "completed"
        await show_secrets(site)
        failed = await fail_at_replicate(site)
        broken, requests = await fail_inside(site)
        await lose_servers(site)
    logs = {part: site.log(part) for part in ("web", "worker", "standin")}
    hidden = {
        TOKEN, DATABASE_PASSWORD, REDIS_PASSWORD, PASSWORD, WEBHOOK_KEY, REFUSED_KEY, "axolotl", "parakeet",
        PATH_OF_A_RECEIVER, QUERY_OF_A_RECEIVER,
    }  # fmt: skip
    for secret in hidden | site.secrets:
        assert [line for log in logs.values() for line in log.splitlines() if secret in line] == [], secret
    if log_format == "json":
        tells_of_jobs_and_requests(logs, {**failed, "internal error": broken}, requests)
    else:
        for job in (*failed.values(), broken):
            assert re.search(rf" WARNING .* attempt_id=\S+ job_id={job}$|{job}: internal", logs["worker"], re.MULTILINE)
        for request in requests:
            assert re.search(rf" ERROR .* failed request_id={request}$", logs["web"], re.MULTILINE)
        first = [log.splitlines()[0] for log in logs.values() if log]
        assert all(LINE.match(line) for line in first)


def tells_of_jobs_and_requests(logs: dict[str, str], jobs: dict[str, str], requests: list[str]) -> None:
    """Check that each line is an object, and that those of jobs and requests have their ids."""
    told = {part: [json.loads(line) for line in log.splitlines()] for part, log in logs.items()}
    for line in (line for lines in told.values() for line in lines):
        assert line.keys() >= {"timestamp", "level", "logger", "event"}
        assert line["timestamp"].endswith("Z")
    assert any(line["logger"] == "uvicorn.error" for line in told["web"])
    for words, job in jobs.items():
        of_job = [line for line in told["worker"] if job in json.dumps(line)]
        assert any(words in line["event"] for line in of_job)
        assert {line["job_id"] for line in of_job} == {job}
    errors = [line for line in told["web"] if line["level"] == "error" and "exception" in line]
    assert [line["request_id"] for line in errors] == requests
    assert all(line["exception"].startswith("Traceback") for line in errors)
