"""No request holds the event loop for long: each route gets as much as it accepts, in hostile shapes."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from tasks.admission import batches
from tasks.curation import edits
from tasks.jobs import lifecycle
from tasks.models.registry import MAX_PROMPT_LENGTH
from tasks.replicate.client import Replicate
from tasks.standin.app import WEBHOOK_SECRET
from tasks.standin.webhooks import signed
from tests.stalls import longest_stall
from tests.webapp.inputs import DOORS, Door
from tests.webapp.raw import FILES, FORM, JSON, Answer, app_of, ask

pytestmark = pytest.mark.once

LIMIT = 0.05  # seconds of CPU time
TRIES = 3  # the first may compile a template or read a file

QUERY = 60_000  # bytes
BODY = 1024 * 1024  # bytes
ESCAPED = 256 * 1024  # bytes of a form of escapes only, which Litestar reads at 10 MiB/s

SHAPES: Mapping[str, Callable[[int], str]] = {
    "braces": lambda size: "{" * size,
    "nested braces": lambda size: "{" * (size // 2) + "}" * (size // 2),
    "alternatives": lambda size: "{a|b}" * (size // 5),
    "one long matrix": lambda size: "{" + "a|" * (size // 2 - 2) + "}",
    "quotes": lambda size: '"' * size,
    "backslashes": lambda size: "\\" * size,
    "spaces": lambda size: " " * (size - 1) + "x",
    "one word": lambda size: "x" * size,
    "many words": lambda size: "ab " * (size // 3),
    "minus words": lambda size: "-a " * (size // 3),
    "commas": lambda size: "a," * (size // 2),
    "digits": lambda size: "9" * size,
    "deep JSON": lambda size: "[" * (size // 2) + "]" * (size // 2),
    "wide JSON": lambda size: "[" + "[]," * (size // 3 - 1) + "0]",
}


Ask = Callable[[], Awaitable[Answer]]


async def test_the_instrument_sees_a_step_that_holds_the_loop_and_no_wait() -> None:
    async def hold(seconds: float) -> None:
        until = time.thread_time() + seconds
        while time.thread_time() < until:
            pass

    with longest_stall() as stall:
        await asyncio.create_task(asyncio.sleep(2 * LIMIT))
    assert stall.seconds < LIMIT / 2
    with longest_stall() as stall:
        await asyncio.create_task(hold(LIMIT))
    assert LIMIT <= stall.seconds < 2 * LIMIT


def test_no_route_is_forgotten(web: httpx.AsyncClient) -> None:
    assert {route.path for route in app_of(web).routes} == set(DOORS)


@pytest.mark.parametrize("route", DOORS)
async def test_no_text_holds_the_loop(web: httpx.AsyncClient, standin: str, route: str) -> None:
    for door in DOORS[route]:
        for name in door.fields:
            for shape, make in SHAPES.items():
                for request in requests(route, door, name, make):
                    await quick(request_of(web, *request), f"{door.method} {route} {name}: {shape}")


@pytest.mark.parametrize(
    "member",
    [
        '"prompt": [' + "[]," * (BODY // 3 - 20) + "0]",
        '"parameters": {' + ",".join(f'"{number:x}":[]' for number in range(BODY // 12)) + "}",
        '"parameters": {"image": [' + '"/media/upload-0192d4a6-7a3e-7c21-9b55-0d6a3f1e2c84.png",' * 15_000 + '""]}',
        '"parameters": {"width": ' + "[" * 500_000 + "]" * 500_000 + "}",
        '"parameters": "' + "[" * 1_000_000 + '"',
        '"models": [' + '"a/b",' * (BODY // 6 - 20) + '"a/b"]',
        '"seeds": [' + "1," * (BODY // 2 - 20) + "1]",
    ],
    ids=lambda member: member[:40],
)
async def test_no_json_holds_the_loop(web: httpx.AsyncClient, standin: str, member: str) -> None:
    body = ('{"prompt": "fox", ' + member + "}").encode()
    for path in ("/generate", "/batches"):
        await quick(request_of(web, "POST", path, b"", body, JSON), path)


async def test_many_fields_do_not_hold_the_loop(web: httpx.AsyncClient, standin: str) -> None:
    for path in ("/", "/composer", "/compare", "/jobs.json"):
        for piece in ("x{}=1&", "p.x{}=1&", "models=a/b{}&", "job={}&"):
            address = "".join(piece.format(number) for number in range(QUERY // 12)).encode()[:QUERY]
            await quick(request_of(web, "GET", path, address), f"{path} {piece}")
    named = "&".join(f"job={uuid4()}" for _ in range(10_000)).encode()
    for path in ("/selection", "/selection.zip"):
        await quick(request_of(web, "POST", path, b"", named + b"&action=tag&tag=x", FORM), path)


@pytest.mark.parametrize(
    "text", ["<&\"'" * (MAX_PROMPT_LENGTH // 4), ".,;:!?" * (MAX_PROMPT_LENGTH // 6), "a b " * (MAX_PROMPT_LENGTH // 4)]
)
async def test_what_is_longest_is_shown_and_compared_quickly(web: httpx.AsyncClient, standin: str, text: str) -> None:
    ids = []
    for number in range(60):
        prompt = f"{number}{text[number % 7 :]}{number}"[:MAX_PROMPT_LENGTH]
        ids.append((await lifecycle.submit(prompt, "stability-ai/sdxl", {"negative_prompt": text * 3})).id)
        await edits.write(ids[-1], text)
    four = "&".join(f"job={job_id}" for job_id in ids[:4]).encode()
    for path, address in (
        ("/", b""), ("/compare", four), ("/jobs.json", b"limit=200"), (f"/jobs/{ids[0]}", b""),
        (f"/jobs/{ids[0]}/uses", b""), ("/events", b"since=2026-01-01"), ("/selection.zip", b"all=1"),
    ):  # fmt: skip
        await quick(request_of(web, "GET", path, address, accept=b"br"), path)


async def test_the_largest_batch_is_made_and_shown_quickly(web: httpx.AsyncClient, standin: str) -> None:
    prompt = "{" + "|".join(map(str, range(256))) + "}" + "<&" * 4000
    body = json.dumps({"prompt": prompt, "parameters": {"negative_prompt": "z" * 30_000}}).encode()
    await quick(request_of(web, "POST", "/batches", b"", body, JSON), "POST /batches")
    batch, _, _ = await batches.submit(prompt, None, None, {}, Replicate())
    for path in (f"/batches/{batch.id}", f"/batches/{batch.id}.json", f"/batches/{batch.id}/grid"):
        await quick(request_of(web, "GET", path, accept=b"br"), path)


@pytest.mark.parametrize(
    "begin", [b'{"id":"x","status":"starting","logs":"', b'{"id":"x","status":"starting","output":[']
)
async def test_the_largest_webhook_does_not_hold_the_loop(web: httpx.AsyncClient, standin: str, begin: bytes) -> None:
    end = b'"}' if begin.endswith(b'"') else b"0]}"
    body = begin + b"[]," * (5 * 2**20 - 20) + end

    async def sent() -> Answer:
        headers = signed(WEBHOOK_SECRET, f"msg_{uuid4().hex}", int(time.time()), body)
        return await ask(web, "POST", "/webhooks/replicate", b"", body, pairs(headers))

    await quick(sent, "a webhook")


def requests(
    route: str, door: Door, name: str, make: Callable[[int], str]
) -> Iterator[tuple[str, str, bytes, bytes, bytes]]:
    """Yield the requests that send a text to a door: method, path, query, body and its type."""
    path = "/".join(part if not part.startswith("{") else str(uuid4()) for part in route.split("/"))
    match door.kind:
        case "path" if "{" in route:
            yield (
                door.method,
                "/".join(make(QUERY) if p.startswith("{") else p for p in route.split("/")),
                b"",
                b"",
                b"",
            )
        case "query":
            yield door.method, path, encoded({**door.more, name: make(QUERY)})[:QUERY], b"", FORM
        case "form":
            yield door.method, path, b"", encoded({**door.more, name: make(BODY)})[:BODY], FORM
            yield door.method, path, b"", encoded({**door.more, name: make(MAX_PROMPT_LENGTH)}), FORM
            yield door.method, path, b"", f"{name}={quote(make(ESCAPED // 3), safe='')}".encode()[:ESCAPED], FORM
            yield door.method, path, b"", part(name, make(BODY - 200)), FILES
        case "json":
            yield door.method, path, b"", json.dumps({**door.more, name: make(BODY // 2 - 200)}).encode(), JSON
            yield door.method, path, b"", json.dumps({**door.more, name: make(MAX_PROMPT_LENGTH)}).encode(), JSON
        case _:
            yield door.method, path, b"", part("file", make(BODY - 200)), FILES
            yield door.method, path, b"", make(BODY).encode(), b"application/octet-stream"


def request_of(
    web: httpx.AsyncClient, method: str, path: str, address: bytes = b"", body: bytes = b"", media_type: bytes = b"",
    accept: bytes = b"identity",
) -> Ask:  # fmt: skip
    headers = [(b"content-type", media_type), (b"accept", b"text/html"), (b"accept-encoding", accept)]
    return lambda: ask(web, method, path, address, body, headers)


async def quick(request: Ask, what: str) -> None:
    """Check that the request is answered and, in one of TRIES attempts, holds the loop for less than LIMIT."""
    shortest = 1.0
    for _ in range(TRIES):
        with longest_stall() as stall:
            answer = await request()
        assert answer.status != 500, what
        shortest = min(shortest, stall.seconds)
        if shortest < LIMIT:
            return
    pytest.fail(f"{what}: the loop was held for {1000 * shortest:.0f} ms")


def encoded(fields: Mapping[str, str]) -> bytes:
    """Encode fields as a hostile client does: with no more escapes than necessary."""
    return "&".join(f"{name}={quote(value, safe=SAFE).replace('%20', '+')}" for name, value in fields.items()).encode()


SAFE = "{}[]|\\\"',;:/<>!-()~^`"


def part(name: str, text: str) -> bytes:
    """Return a multipart form with one field."""
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'
    return f"{head}{text}\r\n--x--\r\n".encode()


def pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
