"""POST /mcp: the protocol in both its eras, who may come in, and what may come in."""

import json
import re
import subprocess
import sys
from base64 import b64decode
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from mcp import MCPError
from mcp.types import ImageContent, ResourceLink

from tasks.accounts.actors import Role
from tasks.db.tables import Job
from tasks.library.query import parse
from tasks.settings import ROOT
from tests import factories
from tests.stalls import longest_stall
from tests.tasks.work import at_work
from tests.webapp.doors.agent import ERAS, answered, connected, refused, text_of
from tests.webapp.raw import JSON, app_of, ask
from tests.webapp.test_hostile import HEADERS as HOSTILE
from tests.webapp.test_hostile import TEXTS
from tests.webapp.test_stalls import LIMIT
from webapp.doors import mcp_jobs
from webapp.doors.mcp_jobs import MAX_PREVIEW_BYTES
from webapp.doors.mcp_tools import TOOLS
from webapp.schemas.codes import Code

SMALL = {"width": 64, "height": 64}
HEADERS = {"Accept": "application/json, text/event-stream"}
READING = {"budget", "estimate", "job", "model", "models", "search"}


def message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@pytest.mark.parametrize("era", ERAS)
async def test_an_agent_makes_a_picture_and_sees_it(web: httpx.AsyncClient, standin: str, era: str) -> None:
    async with at_work(), connected(web, era=era) as client:
        result = await client.call_tool("generate", {"prompt": "a fox in the snow", "parameters": SMALL})
    assert not result.is_error, text_of(result)
    job = result.structured_content
    assert (job["status"], job["origin"]) == ("completed", "mcp")
    assert (await web.get(f"/status/{job['job_id']}")).json() == job
    _, image, link = result.content
    assert isinstance(image, ImageContent)
    assert isinstance(link, ResourceLink)
    preview = await web.get(job["outputs"][0]["preview_url"])
    assert b64decode(image.data) == preview.content
    assert (image.mime_type, len(preview.content) <= MAX_PREVIEW_BYTES) == ("image/webp", True)
    assert (link.uri, link.mime_type) == (f"http://darkroom.test{job['result_url']}", "image/png")
    assert len((await web.get(urlsplit(link.uri).path)).content) == link.size
    assert link.uri in text_of(result)
    assert not app_of(web).state.hub.waiters


@pytest.mark.parametrize("era", ERAS)
async def test_who_waits_hears_how_far_it_is(web: httpx.AsyncClient, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_jobs, "REPORT_SECONDS", 0.05)
    reports: list[tuple[float, str | None]] = []

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, message))

    async with connected(web, era=era) as client:
        await client.call_tool("generate", {"prompt": "a fox", "wait": 0.5}, progress_callback=note)
    seconds = [progress for progress, _ in reports]
    assert len(seconds) > 2
    assert seconds == sorted({*seconds})
    assert {message for _, message in reports} == {"queued, place 1"}


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_is_carried_out_whoever_hangs_up(web: httpx.AsyncClient, era: str) -> None:
    sent, begun = [], {"type": "http.request", "body": json.dumps(a_call_of(era)).encode(), "more_body": False}
    messages = [begun]

    async def receive() -> dict[str, Any]:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(part: dict[str, Any]) -> None:
        sent.append(part)

    headers = HEADERS | {"Host": "darkroom.test", "Content-Type": "application/json"} | headers_of(era)
    scope = {
        "type": "http", "method": "POST", "scheme": "http", "path": "/mcp", "raw_path": b"/mcp", "query_string": b"",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 9), "server": ("127.0.0.1", 80), "root_path": "", "http_version": "1.1",
    }  # fmt: skip
    await app_of(web)(scope, receive, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 200
    assert [job.prompt for job in await Job.objects()] == ["a fox"]


def a_call_of(era: str) -> dict[str, Any]:
    call = message("tools/call", name="generate", arguments={"prompt": "a fox", "wait": 0})
    named = "io.modelcontextprotocol"
    if era != "legacy":
        call["params"]["_meta"] = {f"{named}/protocolVersion": era, f"{named}/clientCapabilities": {}}
    return call


def headers_of(era: str) -> dict[str, str]:
    called = {"Mcp-Protocol-Version": era, "Mcp-Method": "tools/call", "Mcp-Name": "generate"}
    return {} if era == "legacy" else called


@pytest.mark.once
@pytest.mark.parametrize("era", ERAS)
async def test_tools_say_what_they_do(web: httpx.AsyncClient, era: str) -> None:
    async with connected(web, era=era) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert listed.keys() == READING | {"generate", "cancel"}
    hints = {name: tool.annotations for name, tool in listed.items()}
    assert {name for name, each in hints.items() if each and each.read_only_hint} == READING
    assert {name for name, each in hints.items() if each and each.idempotent_hint} == READING | {"cancel"}
    assert {name for name, each in hints.items() if each and each.destructive_hint} == {"cancel"}
    assert {name for name, each in hints.items() if each and each.open_world_hint} == {
        "cancel", "estimate", "generate", "model",
    }  # fmt: skip
    assert all(tool.title and tool.description and tool.input_schema["type"] == "object" for tool in listed.values())
    assert sum(len(tool.model_dump_json(exclude_none=True)) for tool in listed.values()) < 6_000


async def test_a_stranger_is_told_what_it_needs(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    answer = await web.post("/mcp", json=message("tools/list"), headers=HEADERS)
    assert (answer.status_code, answer.json()["code"]) == (401, "sign_in_required")
    assert answer.headers["www-authenticate"] == 'Bearer realm="Darkroom"'
    for era in ERAS:
        with pytest.RaisesGroup(MCPError, flatten_subgroups=True):
            async with connected(web, era=era) as client:
                await client.list_tools()
    assert await answered(web, "search", await factories.key_of(anna, "read")) == {"jobs": [], "next": None}


async def test_in_the_open_house_any_token_is_taken(web: httpx.AsyncClient) -> None:
    assert await answered(web, "search", {"Authorization": "Bearer anything"}) == {"jobs": [], "next": None}


async def test_a_key_does_what_its_scopes_allow_and_no_more(web: httpx.AsyncClient) -> None:
    job, service = await factories.submitted(), await factories.person("agent", Role.SERVICE)
    reads, submits = [await factories.key_of(service, scope, name=scope) for scope in ("read", "submit")]
    for tool, arguments in {
        "generate": {"prompt": "a fox"}, "estimate": {"prompt": "a fox"}, "cancel": {"job_id": str(job.id)},
    }.items():  # fmt: skip
        assert (await refused(web, tool, reads, **arguments))[:2] == (
            "missing_scope",
            "The key lacks the scope submit.",
        )
    assert [each.status for each in await Job.objects()] == ["queued"]
    answer = await web.post("/mcp", json=message("tools/list"), headers=HEADERS | submits)
    assert (answer.status_code, answer.json()["code"]) == (403, "missing_scope")


async def test_a_key_sees_the_jobs_of_its_owner(web: httpx.AsyncClient) -> None:
    job = str((await factories.submitted("of nobody")).id)
    key = await factories.key_of(await factories.person(), "read", "submit")
    own = await answered(web, "generate", key, prompt="of anna", wait=0)
    assert own["owner"] == "anna"
    assert [each["prompt"] for each in (await answered(web, "search", key))["jobs"]] == ["of anna"]
    for tool in ("job", "cancel"):
        assert (await refused(web, tool, key, job_id=job))[0] == "job_not_found"
    everyone = await factories.key_of(await factories.person("ben"), "read", "read:all")
    assert (await answered(web, "job", everyone, job_id=job))["prompt"] == "of nobody"


async def test_what_a_tool_does_not_take_is_refused(web: httpx.AsyncClient) -> None:
    code, detail, problem = await refused(web, "job", nope=1, wait=46)
    assert code == "invalid_request"
    for sentence in (
        "The tool has no parameter 'nope'. It has: job_id, wait.", "job_id is required.", "wait must be at most 45.",
    ):  # fmt: skip
        assert sentence in detail
    assert {error["pointer"] for error in problem["errors"]} == {"#/nope", "#/job_id", "#/wait"}
    assert (await refused(web, "generate", prompt=7))[1] == "prompt must be a string, not an integer."
    async with connected(web) as client:
        with pytest.raises(MCPError, match="There is no tool 'nope'"):
            await client.call_tool("nope")


async def test_long_mistakes_are_told_in_short(web: httpx.AsyncClient) -> None:
    _, detail, problem = await refused(web, "search", **{f"{number}{'x' * 10_000}": 1 for number in range(50)})
    assert len(problem["errors"]) == 5
    assert len(detail) < 2_000


async def test_what_is_no_tool_call_is_told_in_the_protocols_words(web: httpx.AsyncClient) -> None:
    for era in ERAS:
        async with connected(web, era=era) as client:
            with pytest.raises(MCPError, match="Method not found"):
                await client.list_prompts()


@pytest.mark.once
async def test_bodies_have_limits(web: httpx.AsyncClient) -> None:
    nested = '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": ' + "[" * 40 + "]" * 40 + "}}"
    for body, status, code in [
        (nested, 400, "malformed_json"),
        ("{", 400, "malformed_json"),
        ("9" * (2**20 + 1), 413, "body_too_large"),
    ]:
        headers = HEADERS | {"Content-Type": "application/json"}
        answer = await web.post("/mcp", content=body, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


@pytest.mark.once
async def test_only_our_own_names_are_answered_to(web: httpx.AsyncClient) -> None:
    for host, status in {"darkroom.test": 200, "127.0.0.1:8000": 200, "evil.example": 421}.items():
        answer = await web.post("/mcp", json=message("tools/list"), headers=HEADERS | {"Host": host})
        assert answer.status_code == status, host


@pytest.mark.once
async def test_nothing_but_messages_is_answered(web: httpx.AsyncClient) -> None:
    for method in ("GET", "DELETE"):
        answer = await web.request(method, "/mcp", headers=HEADERS)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
    answer = await web.post("/mcp/", json=message("tools/list"), headers=HEADERS | {"Accept-Encoding": "gzip, br"})
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers, "a progress report would be kept back"


async def test_no_text_is_met_with_an_error_of_ours(
    web: httpx.AsyncClient, standin: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name, tool in TOOLS.items():
        texts = [key for key, schema in tool.properties.items() if schema["type"] == "string"]
        for text in TEXTS if texts else []:
            arguments = {**dict.fromkeys(texts, text), **({"wait": 0} if "wait" in tool.properties else {})}
            answer = await web.post("/mcp", json=message("tools/call", name=name, arguments=arguments), headers=HEADERS)
            assert answer.status_code == 200, (name, text, answer.text)
            assert "internal_error" not in answer.text, (name, text)
    assert not [record for record in caplog.records if record.exc_info or "Traceback" in record.getMessage()]


@pytest.mark.once
@pytest.mark.parametrize("name", [b"mcp-protocol-version", b"mcp-method", b"mcp-name", b"accept", b"content-type"])
async def test_no_header_is_met_with_an_error_of_ours(
    web: httpx.AsyncClient, name: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    for era in ERAS:
        sent = {"accept": HEADERS["Accept"], "content-type": "application/json"} | headers_of(era)
        usual = [(key.lower().encode(), value.encode()) for key, value in sent.items() if key.lower() != name.decode()]
        for value in HOSTILE:
            body = json.dumps(a_call_of(era)).encode()
            answer = await ask(web, "POST", "/mcp", b"", body, [*usual, (name, value)])
            assert answer.status < 500, (era, value, answer)
    assert not [record for record in caplog.records if record.exc_info or "Traceback" in record.getMessage()]


@pytest.mark.once
@pytest.mark.parametrize(
    "prompt", ["x" * 1_000_000, "{a|b}" * 200_000, "\u72d0" * 300_000], ids=["word", "braces", "wide"]
)
async def test_no_message_holds_the_loop(web: httpx.AsyncClient, standin: str, prompt: str) -> None:
    parameters = {f"p{number}": number for number in range(9_000)}
    headers = [(b"accept", HEADERS["Accept"].encode()), (b"content-type", JSON)]
    for arguments in ({"prompt": prompt}, {"prompt": "a", "parameters": parameters}, {"prompt": "a", **parameters}):
        body = json.dumps(message("tools/call", name="generate", arguments=arguments), ensure_ascii=False).encode()
        stalls = []
        for _ in range(3):
            with longest_stall() as stall:
                answer = await ask(web, "POST", "/mcp", b"", body, headers)
            assert (answer.status, b'"isError":true' in answer.body) == (200, True)
            stalls.append(stall.seconds)
        assert min(stalls) < LIMIT, {*arguments} if len(arguments) < 3 else "many"


@pytest.mark.once
def test_the_skill_and_the_docs_name_the_tools_and_codes_that_there_are() -> None:
    skill, page = (ROOT / "skills/darkroom/SKILL.md").read_text(), (ROOT / "docs/doors.md").read_text()
    assert len(skill.splitlines()) <= 60
    for text in (skill, page.partition("## MCP")[2].partition("\n## ")[0]):
        rows = "\n".join(row.split("|")[1] for row in text.splitlines() if row.startswith("| `"))
        assert set(re.findall(r"`(\w+)`", rows)) == TOOLS.keys()
    codes = re.findall(r"`(\w+)`", skill.partition("Some codes:")[2].partition("##")[0])
    assert {Code.of(code) for code in codes} >= {Code.QUEUE_FULL, Code.MISSING_SCOPE}
    for text in (skill, TOOLS["search"].description):
        [example] = re.findall(r"\S*fox model:\S+ .* cost:>0.10", text)
        assert parse(example)


@pytest.mark.once
def test_the_sdk_is_imported_when_it_is_needed_and_no_sooner() -> None:
    program = "import sys, webapp.app; sys.exit('mcp' in sys.modules or 'httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT).returncode == 0
