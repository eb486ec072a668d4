"""A real web server and a real worker, traced: the tree of spans, what is in them, and what they must not delay."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests import servers
from tests.collector import Collector, Exported, collecting
from tests.conftest import Faults
from tests.processes import Process, answers, environment
from tests.receivers import receiving
from tests.waiting import eventually
from webapp.cli.parent_watch import Tether

NewDatabase = Callable[[], Awaitable[str]]

FLUX = "black-forest-labs/flux-schnell"
INCOMING = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TOKEN = "r8_0123456789traced"
SECRETS = (TOKEN, "vixen", "dk_traced", "cookie-traced", "hook-traced", "sig-traced", "traced-password")
"""Words that only secrets and prompts have."""
HANGING = 8.0  # seconds within which everything has to go on while the collector hangs; it would wait for 10


@pytest.fixture(autouse=True)
def empty() -> None:
    """Leave the tests' own database untouched: the processes have one of their own."""


@dataclass
class Site:
    """A web server and a worker, the client of the one, and the collector of both."""

    web: Process
    worker: Process
    client: httpx.AsyncClient
    collector: Collector
    faults: Faults

    async def post(self, prompt: str, headers: dict[str, str] | None = None, **body: Any) -> str:
        """Submit a prompt, and return the job's id."""
        body = {"prompt": prompt, "parameters": {"width": 64, "height": 64}} | body
        answer = await self.client.post("/generate", json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["job_id"])

    async def becomes(self, job: str, member: str, *values: str) -> None:
        """Wait until a member of a job's status is one of some values."""

        async def has() -> bool:
            return (await self.client.get(f"/status/{job}")).json().get(member) in values

        await eventually(has)

    async def runs(self, job: str, count: int = 1) -> list[Exported]:
        """Wait until the job has ended, and return the spans of its runs."""
        await self.becomes(job, "status", "completed", "failed")

        async def arrived() -> bool:
            return len(self.collector.of_job(job)) >= count

        await eventually(arrived, 20)
        return self.collector.of_job(job)

    async def span(self, name: str, trace: str = "") -> Exported:
        """Wait for a span with this name, in a trace if one is given, and return it."""

        def found() -> list[Exported]:
            return [span for span in self.collector.named(name) if trace in ("", span.trace)]

        async def arrived() -> bool:
            return bool(found())

        await eventually(arrived, 20)
        return found()[0]

    async def all_arrived(self) -> None:
        """Wait until the collector has all spans of requests that have been answered."""
        trace = uuid4().hex
        await self.client.get("/queue", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        await self.span("GET /queue", trace)

    async def ends(self) -> None:
        """End both processes, in order and in time, whatever the collector does."""
        began = time.monotonic()
        assert all(await asyncio.gather(self.web.stop(), self.worker.stop()))
        assert time.monotonic() - began < HANGING
        for process in (self.web, self.worker):
            assert process.code in (0, -signal.SIGTERM)
            assert "Traceback" not in process.log.read_text()

    async def sent(self, prompt: str) -> tuple[str, str]:
        """Return the ids of the span that came with the prediction of a prompt."""
        [prediction] = await self.faults.created(prompt)
        return ids(prediction["traceparent"])


def ids(traceparent: str) -> tuple[str, str]:
    """Return the ids of the trace and the span in a traceparent of ours."""
    version, trace, span, _ = traceparent.split("-")
    assert version == "00"
    return trace, span


@asynccontextmanager
async def running(folder: Path, database_url: str, faults: Faults, standin: str, **more: str) -> AsyncIterator[Site]:
    """Run a traced web server and a worker while the block runs."""
    port = servers.free_port()
    (folder / "data").mkdir()
    with servers.valkey() as redis, Tether() as tether:
        async with (
            collecting() as collector,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
        ):
            traced = {
                "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100",
                "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
                "REPLICATE_API_TOKEN": TOKEN, "LEASE_SECONDS": "3", "PORT": str(port),
            }  # fmt: skip
            settings = environment(folder, database_url, redis, standin, **(traced | more))
            web, worker = (Process(name, settings, tether, folder / f"{name}.log") for name in ("web", "worker"))
            web.start()
            worker.start()
            try:
                await eventually(lambda: answers(client, "/healthz"))
                yield Site(web, worker, client, collector, faults)
            finally:
                web.kill()
                worker.kill()


@pytest.fixture(scope="module")
async def shared(
    standin: str, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> AsyncIterator[Site]:
    folder, faults = tmp_path_factory.mktemp("traced"), Faults(standin)
    async with running(folder, await new_database(), faults, standin) as site:
        yield site
    await faults.aclose()


@pytest.fixture
async def site(shared: Site, faults: Faults) -> Site:
    return shared


async def test_a_request_and_the_attempt_that_follows_are_two_traces_with_a_link(site: Site) -> None:
    job = await site.post("a traced fox", {"traceparent": INCOMING})
    [run] = await site.runs(job)
    request = await site.span("POST /generate", "0af7651916cd43dd8448eb211c80319c")
    assert (request.kind, request.parent, request.service["service.name"]) == (
        "server", "b7ad6b7169203331", "darkroom-web"
    )  # fmt: skip
    assert request.says == {
        "http.request.method": "POST", "http.route": "/generate", "http.response.status_code": 202
    }  # fmt: skip
    assert {span.scope for span in site.collector.below(request)} == {"darkroom"}  # it does not wait for hints in Redis
    inserts = [span for span in site.collector.below(request) if span.name == "INSERT"]
    assert [span.says["db.query.text"][:16] for span in inserts] == ["INSERT INTO job "]

    assert run.name == "generate_content stability-ai/sdxl"
    assert (run.kind, run.parent, run.links) == ("client", "", [request.ids])
    assert run.trace != request.trace
    assert (run.service["service.name"], run.service["service.version"]) == ("darkroom-worker", "0.1.0")
    assert not run.failed
    [prediction] = await site.faults.created("a traced fox")
    assert run.says == {
        "gen_ai.operation.name": "generate_content", "gen_ai.provider.name": "replicate",
        "gen_ai.request.model": "stability-ai/sdxl", "gen_ai.request.seed": prediction["input"]["seed"],
        "gen_ai.response.id": prediction["id"], "darkroom.job.id": job, "darkroom.attempt": 1,
    }  # fmt: skip


async def test_an_attempt_says_what_it_cost(site: Site) -> None:
    [run] = await site.runs(await site.post("a priced fox", model=FLUX, parameters={}))
    assert run.says["darkroom.cost_micros"] == 3000


async def test_the_steps_of_an_attempt_are_below_it_and_the_calls_below_the_steps(site: Site) -> None:
    [run] = await site.runs(await site.post("a traced vole"))
    below = site.collector.below(run)
    steps = {span.name: span for span in below if span.kind == "internal"}
    assert (steps["create"].parent, steps["follow"].parent, steps["outputs"].parent) == (run.id,) * 3
    assert steps["store"].parent == steps["outputs"].id
    assert await site.sent("a traced vole") == steps["create"].ids

    def calls(step: str) -> set[tuple[str, str]]:
        found = site.collector.below(steps[step])
        return {(span.name, span.says["url.full"]) for span in found if "url.full" in span.says}

    [prediction] = await site.faults.created("a traced vole")
    api = prediction["urls"]["get"].partition("/predictions/")[0]
    assert calls("create") == {("POST", f"{api}/predictions")}
    assert calls("follow") == {("GET", f"{api}/predictions/{prediction['id']}")}
    assert calls("outputs") == {("GET", api.removesuffix("/v1"))}  # whoever has the address of a file has the file
    queries = {span.says["db.query.text"] for span in below if "db.query.text" in span.says}
    assert any("INSERT INTO attempt " in query for query in queries)


async def test_another_worker_goes_on_in_a_new_trace_with_links_to_the_request_and_to_the_first_attempt(
    site: Site,
) -> None:
    await site.faults.script({"on": "create", "match": "a killed stoat", "do": "run", "seconds": 4})
    job = await site.post("a killed stoat")
    await site.becomes(job, "stage", "processing")
    site.worker.kill()
    site.worker.start()
    [run] = await site.runs(job)
    first = await site.sent("a killed stoat")
    [request] = [span for span in site.collector.named("POST /generate") if span.ids == run.links[0]]
    assert run.links == [request.ids, first]
    assert run.trace not in (request.trace, first[0])
    assert (run.says["darkroom.attempt"], run.failed) == (1, False)
    assert "create" not in [span.name for span in site.collector.below(run)]


async def test_an_attempt_that_fails_says_our_code_and_not_the_text(site: Site) -> None:
    await site.faults.script(
        {"on": "create", "match": "a vixen that fails", "do": "fail_prediction", "error": "NSFW: a vixen was seen"}
    )
    [run] = await site.runs(await site.post("a vixen that fails"))
    assert (run.failed, run.error, run.says["error.type"], run.events) == (True, "moderated", "moderated", 0)
    assert no_secrets(site)


async def test_a_webhook_names_the_trace_of_the_attempt(site: Site) -> None:
    async with receiving() as receiver:
        job = await site.post("a traced hare", webhook=f"{receiver.url}?token=hook-traced")
        [run] = await site.runs(job)

        async def arrived() -> bool:
            return bool(receiver.arrivals)

        await eventually(arrived)
        [arrival] = receiver.arrivals
        assert ids(arrival.headers["traceparent"]) == await site.sent("a traced hare")
        assert ids(arrival.headers["traceparent"])[0] == run.trace


async def test_no_secret_and_no_prompt_is_exported(site: Site) -> None:
    job = await site.post(
        "a vixen in the snow", {"Cookie": "darkroom-session=cookie-traced", "tracestate": "vixen=hook-traced"}
    )
    refused = {"Authorization": "Bearer dk_traced", "X-Darkroom": "cookie-traced"}
    await site.client.get("/", params={"q": "vixen", "sig": "sig-traced"}, headers=refused)
    await site.client.get("/vixen/sig-traced?token=hook-traced")
    await site.client.post("/sign-in", data={"name": "vixen", "password": "traced-password"})
    call = {"name": "a vixen", "arguments": {"prompt": "a vixen"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    accepts = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    assert (await site.client.post("/mcp", json=body, headers=accepts)).status_code == 200
    [run] = await site.runs(job)
    await site.all_arrived()
    assert {"GET", "POST /mcp", "POST /sign-in"} <= {span.name for span in site.collector.spans}
    assert "INSERT" in {span.name for span in site.collector.spans}
    assert {span.scope.rpartition(".")[2] for span in site.collector.below(run)} == {"darkroom", "httpx"}
    assert no_secrets(site)


async def test_what_stays_open_or_is_asked_for_all_the_time_has_no_span(site: Site) -> None:
    job = await site.post("a traced owl")
    for path in ("/events", f"/events?job={job}", f"/jobs/{job}/events", "/events.json"):
        async with site.client.stream("GET", path) as response:
            assert response.status_code == 200
    for path in ("/healthz", "/readyz", "/static/css/base.css"):
        await eventually(partial(answers, site.client, path))
    await site.all_arrived()
    routes = {span.says.get("http.route") for span in site.collector.spans if span.kind == "server"}
    assert "/queue" in routes
    assert not routes & {
        "/events", "/jobs/{job_id}/events", "/events.json", "/healthz", "/readyz", "/static/{path}"
    }  # fmt: skip
    await site.becomes(job, "status", "completed")


async def test_the_calls_of_a_worker_that_looks_for_work_are_not_traced(site: Site) -> None:
    await site.runs(await site.post("a traced newt"))
    roots = [span for span in site.collector.spans if not span.parent]
    assert {span.scope for span in roots} == {"darkroom"}
    assert {span.name.split()[0] for span in roots if span.kind != "server"} == {"generate_content"}


async def test_a_request_that_waits_for_redis_says_so(site: Site) -> None:
    async def waited() -> bool:
        await site.client.get("/operate")  # it reads the rate limit
        return any("redis" in span.scope for span in site.collector.spans)

    await eventually(waited, 20)
    [said, *_] = [span.says for span in site.collector.spans if "redis" in span.scope]
    assert said["db.system.name"] == "redis"
    assert set(said["db.query.text"].split()) <= {"TIME", "GET", "PING", "?"}


@pytest.mark.parametrize(
    ("sent", "follows"),
    [
        ([INCOMING.replace("0af7", "0aaa")], True),
        (["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"], False),
        (["00-00000000000000000000000000000000-b7ad6b7169203331-01"], False),
        (["traced" * 1000], False),
        ([b"\xff\\x"], False),
        ([INCOMING.replace("0af7", "0bbb"), INCOMING.replace("0af7", "0ccc")], False),
    ],
    ids=["valid", "short", "zero", "long", "binary", "two"],
)
async def test_a_traceparent_that_is_not_valid_is_ignored(site: Site, sent: list[Any], follows: bool) -> None:
    before = len(site.collector.named("GET /collections"))
    headers = [(b"traceparent", one if isinstance(one, bytes) else one.encode()) for one in sent]
    answer = await site.client.get("/collections", headers=[*headers, (b"user-agent", b"\xff\\x")])
    assert answer.status_code == 200

    async def arrived() -> bool:
        return len(site.collector.named("GET /collections")) > before

    await eventually(arrived, 20)
    request = site.collector.named("GET /collections")[-1]
    assert (request.parent == "b7ad6b7169203331") is follows
    assert (request.trace == "0aaa651916cd43dd8448eb211c80319c") is follows


async def test_the_page_of_a_job_has_the_trace_of_its_attempt(site: Site) -> None:
    job = await site.post("a traced crane")
    [run] = await site.runs(job)
    page = (await site.client.get(f"/jobs/{job}")).text
    assert f'data-copy="{run.trace}"' in page


async def test_the_job_follows_the_trace_of_the_agent_that_submits_it(site: Site) -> None:
    """An agent's request goes through the library for its protocol, which would make spans and traces of its own."""
    call = {"name": "generate", "arguments": {"prompt": "a traced lynx", "wait": 0}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    traceparent = INCOMING.replace("0af7", "0ddd")
    accepts = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-06-18"}
    answer = await site.client.post("/mcp", json=body, headers=accepts | {"traceparent": traceparent})
    assert answer.status_code == 200, answer.text
    request = await site.span("POST /mcp", traceparent.split("-")[1])

    async def ran() -> bool:
        return request.ids in [link for span in site.collector.spans for link in span.links]

    await eventually(ran)


@pytest.mark.once
async def test_a_collector_that_hangs_delays_nothing(
    standin: str, faults: Faults, tmp_path: Path, new_database: NewDatabase
) -> None:
    async with running(tmp_path, await new_database(), faults, standin) as site:
        await site.runs(await site.post("a traced heron"))
        site.collector.hangs = True
        began = time.monotonic()
        for number in range(3):
            await site.becomes(await site.post(f"a traced heron {number}"), "status", "completed")
        assert time.monotonic() - began < HANGING
        await site.ends()


@pytest.mark.once
async def test_a_collector_that_is_away_delays_nothing_and_is_one_line_in_a_log(
    standin: str, faults: Faults, tmp_path: Path, new_database: NewDatabase
) -> None:
    away = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"http://127.0.0.1:{servers.free_port()}/v1/traces"}
    async with running(tmp_path, await new_database(), faults, standin, **away) as site:

        async def told() -> bool:
            await site.client.get("/queue")
            return "tasks.tracing" in site.web.log.read_text()

        await eventually(told, 20)
        await site.becomes(await site.post("a lonely fox"), "status", "completed")
        await site.ends()
        lines = [line for line in site.web.log.read_text().splitlines() if "traces" in line]
        assert len(lines) == 1, lines
        assert "WARNING tasks.tracing.exporting: traces: " in lines[0]
        assert site.collector.bodies == []


@pytest.mark.once
async def test_what_is_left_is_sent_when_a_process_ends_and_a_service_may_have_another_name(
    standin: str, faults: Faults, tmp_path: Path, new_database: NewDatabase
) -> None:
    slowly = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_SERVICE_NAME": "gallery"}
    async with running(tmp_path, await new_database(), faults, standin, **slowly) as site:
        job = await site.post("a last fox")
        await site.becomes(job, "status", "completed")
        assert site.collector.bodies == []
        await site.ends()
        [run] = site.collector.of_job(job)
        assert len(site.collector.named("POST /generate")) == 1
        assert run.service["service.name"] == "gallery"


def no_secrets(site: Site) -> bool:
    """Return whether no body that arrived at the collector has one of SECRETS."""
    found = [word for word in SECRETS for body in site.collector.bodies if word.encode() in body]
    assert found == []
    return bool(site.collector.bodies)
