"""Hostile input is answered with 4xx or taken as text: never with 500, and without blaming the database."""

import gc
import json
from urllib.parse import quote

import httpx
import pytest

from tasks.db.tables import Job
from tasks.jobs import lifecycle
from tests.factories import completed
from tests.webapp.inputs import DOORS
from tests.webapp.raw import FILES, FORM, JSON, Pairs, ask

TEXTS = [
    "\0", "a\0b", "%", "%s", "{0}", "'", "''", '"', "\\", "a'; DROP TABLE job; --", "-", ",", ":", "\u2028", "\x1b[31m",
    "\ufeff", "\U0001f98a", "\u0661\u0662", "\u00b2", "../../etc/passwd", "//evil", "http://[", "http://a:99999999/",
    "NaN", "-Infinity", "1e999", "-0", "9" * 19, "9" * 20, "9" * 100, "-" + "9" * 100, "9" * 5000, "1.5", "0x10",
    "null",
    "[" * 100, "[" * 2000, '{"a":' * 2000, "[" * 33 + "]" * 33, "true", "[]", "{}",
    "before:1969", "after:1969-12-31", "on:0001", "on:0000", "before:9999", "on:9998", "on:9999-12-31",
    "after:2026-02-30",
    "seed:" + "9" * 40, "rating:9", "tag:\0", "-tag:a", "batch:x", "from:" + "0" * 36, "in:trash -in:trash",
    "model:!%_",
    " ".join(f"tag:t{number}" for number in range(71)), " ".join(f"-a{number}" for number in range(125)),
    " ".join(f"-tag:{number}" for number in range(61)), "tag:" + ",".join(map(str, range(200))), "-" * 250,
    "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "1969-12-31", "-62135596800",
    "AAAA", "bg", "=" * 40, "n" * 24, "_" * 23, "00000000-0000-0000-0000-000000000000",
]  # fmt: skip
BYTES = [b"\xff", b"\xed\xa0\x80", b"\xc0\x80", b"\x00", b"%ff", b"%ed%a0%80", b"%", b"%zz", b"+", b"&&==&", b";"]
VALUES = [
    "9" * 20, "-" + "9" * 20, "9" * 100, "9" * 4000, "1e999", "1.5", "true", "null", '""', '"\\u0000"', '"\\ud800"',
    "[]",
    "{}", "[null]", "[[]]", '{"": 0}', '{"seed": 18446744073709551616}', '{"seed": 1e300}',
    '{"seed": -9223372036854775809}',
    '{"width": ' + "9" * 30 + "}", '{"a": ' * 50 + "0" + "}" * 50, "[" * 900 + "]" * 900, "[" * 33 + "]" * 33,
    '{"\\u0000": 1}', '{"image": ["\\u0000"]}', '{"prompt": "x"}', "[9223372036854775808]", '["a/b", 5]', '["\\u0000"]',
]  # fmt: skip
HEADERS = [
    b"http://[", b"http://[::1", b"http://a:99999999/", b"http://a:b/", b"\xff\xfe", b"http://\xe4\xf6/", b"//[",
    b"[]", b"",
    b"null", b"http://darkroom.test/jobs/%ff?q=%ff", b"http://darkroom.test/?q=before:1969&cursor=x&sort=y",
    b"\xf0\x9f",
    b"http://darkroom.test/\xff?x=\xff", b"http://darkroom.test//evil", b"bytes=9-1", b"0001-01-01T00:00:00+00:00",
    b"9999-12-31T23:59:59-23:59", b"\x00", b"a" * 5000, b'"' * 50, b"multipart/form-data",
    b"multipart/form-data; boundary=",
    b"application/json; charset=nonsense", b"text/html; charset=\xff", b";;;===", b"=?utf-8?q?=00?=",
]  # fmt: skip
NAMES = (
    b"origin", b"hx-current-url", b"referer", b"last-event-id", b"accept", b"accept-encoding", b"content-type",
    b"cookie",
    b"range", b"if-range", b"if-none-match", b"x-client", b"sec-fetch-site", b"idempotency-key", b"prefer",
)  # fmt: skip


@pytest.mark.parametrize("route", DOORS)
async def test_no_text_is_met_with_a_server_error(
    web: httpx.AsyncClient, standin: str, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    gc.collect()  # what an earlier test left behind is told of now, and not while this one looks
    caplog.clear()
    job = (await completed()).id
    parts = route.split("/")
    filled = "/".join(str(job) if part.startswith("{") else part for part in parts)
    for door in DOORS[route]:
        for name in door.fields:
            for text in [*map(str.encode, TEXTS), *BYTES]:
                as_sent = text if text in BYTES else quote(text).encode()
                more = "".join(f"{quote(key)}={quote(value)}&" for key, value in door.more.items() if key != name)
                sent = more.encode() + name.encode() + b"="
                match door.kind:
                    case "path":
                        path = "/".join(text.decode(errors="replace") if p[:1] == "{" else p for p in parts)
                        await fine(web, door.method, path)
                    case "query":
                        for spelled in {as_sent, text}:
                            await fine(web, door.method, filled, sent + spelled)
                    case "form":
                        await fine(web, "POST", filled, b"", sent + as_sent, FORM)
                        if text in BYTES:
                            await fine(web, "POST", filled, b"", multipart(name.encode(), text), FILES)
                            await fine(web, "POST", filled, b"", multipart(text, b"x"), FILES)
                    case "json":
                        await fine(
                            web,
                            door.method,
                            filled,
                            b"",
                            as_json({**door.more, name: text.decode(errors="replace")}),
                            JSON,
                        )
                    case _:
                        await fine(web, "POST", filled, b"", text, JSON)
                        await fine(web, "POST", filled, b"", multipart(text, text, filename=text), FILES)
            for value in VALUES if door.kind == "json" else []:
                members = ", ".join(
                    [*(f'"{key}": "{other}"' for key, other in door.more.items()), f'"{name}": {value}']
                )
                await fine(web, door.method, filled, b"", f"{{{members}}}".encode(), JSON)
    assert not [record for record in caplog.records if record.exc_info or "Traceback" in record.getMessage()]


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
async def test_no_header_is_met_with_a_server_error(web: httpx.AsyncClient, standin: str, name: bytes) -> None:
    job, htmx = await completed(), [(b"hx-request", b"true")]
    requests: list[tuple[str, str, bytes]] = [
        ("GET", "/", b""), ("GET", "/events", b""), ("GET", f"/media/{job.id}.png", b""), ("GET",
        "/static/css/base.css", b""),
        ("POST", f"/jobs/{job.id}/cancel", b""), ("POST", f"/jobs/{job.id}/retry", b""),
        ("POST", "/selection", f"action=favorite&job={job.id}".encode()), ("POST", "/searches", b"q=fox&name=fox"),
        ("POST", "/jobs", b"prompt="), ("POST", "/generate", b"{}"), ("POST", "/uploads", b"--x"), ("POST",
        "/imprint", b"x"),
        ("POST", "/webhooks/replicate", b"{}"),
        ("POST", "/selection", f"action=restore&job={job.id}".encode()), ("GET", "/composer", b""),
    ]  # fmt: skip
    for value in HEADERS:
        for method, path, body in requests:
            for more in ([], htmx):
                await fine(
                    web, method, path, b"", body, b"" if name == b"content-type" else FORM, [(name, value), *more]
                )


@pytest.mark.parametrize(
    "q",
    [
        "before:1969", "after:1969-12-31", "on:0001", "on:9999", "before:9999-12-31",
        " ".join(f"tag:t{number}" for number in range(60)), " ".join(f"-a{number}" for number in range(120)),
        "tag:" + ",".join(map(str, range(150))), "fox\0",
    ],
)  # fmt: skip
async def test_a_search_that_cannot_be_is_refused(web: httpx.AsyncClient, q: str) -> None:
    answer = await web.get("/jobs.json", params={"q": q})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


@pytest.mark.parametrize(
    "q",
    [
        " ".join(f"-tag:{number}" for number in range(50)), " ".join(f"-a{number}" for number in range(50)),
        " ".join(f"a{number}" for number in range(50)), "-tag:" + ",".join(map(str, range(50))),
        " ".join(f"-on:20{number}" for number in range(10, 60)), " ".join(f"model:m{number}" for number in range(50)),
    ],
)  # fmt: skip
async def test_as_many_terms_as_are_allowed_are_searched_for(web: httpx.AsyncClient, q: str) -> None:
    await lifecycle.submit("fox", "stability-ai/sdxl", {})
    for path in ("/jobs.json", "/searches/count", "/", "/selection/count"):
        answer = await web.get(path, params={"q": q})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("since", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-23:59", "1969-12-31", "soon"])
async def test_a_stream_since_a_moment_that_cannot_be_is_refused(web: httpx.AsyncClient, since: str) -> None:
    answer = await web.get("/events", params={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_query")


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
async def test_a_number_of_more_than_64_bits_is_refused_at_the_door(
    web: httpx.AsyncClient, standin: str, number: int
) -> None:
    for path in ("/generate", "/batches"):
        answer = await web.post(path, json={"prompt": "a fox", "parameters": {"seed": number}})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameters"), answer.text
    assert not await Job.exists()


async def test_parameters_that_are_too_long_are_refused(web: httpx.AsyncClient, standin: str) -> None:
    parameters = {"negative_prompt": "x" * 40_000}
    answer = await web.post("/generate", json={"prompt": "a fox", "parameters": parameters})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameters")
    assert "POST /uploads" in answer.json()["detail"]


async def fine(
    web: httpx.AsyncClient, method: str, path: str, query: bytes = b"", body: bytes = b"", media_type: bytes = b"",
    headers: Pairs = (),
) -> None:  # fmt: skip
    sent = [*headers, *([(b"content-type", media_type)] if media_type else [])]
    answer = await ask(web, method, path, query, body, sent)
    refused = answer.status < 500 or path == "/readyz"
    assert refused, (method, path[:100], query[:200], body[:200], headers, answer.status, bytes(answer.body[:300]))


def as_json(members: object) -> bytes:
    return json.dumps(members).encode()


def multipart(name: bytes, content: bytes, filename: bytes | None = None) -> bytes:
    named = b"" if filename is None else b'; filename="%s"' % filename
    return b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n--x--\r\n' % (name, named, content)


@pytest.mark.parametrize("words", ["{0}", "{", "}}", "{a} fox", "{}", '"{}"'])
async def test_braces_are_searched_for_like_any_other_sign_beside_other_terms(
    web: httpx.AsyncClient, words: str
) -> None:
    ids = [(await lifecycle.submit(f"a fox 0 in {{a}} 0 {number}", "stability-ai/sdxl", {})).id for number in range(3)]
    query = {"q": f"{words} fox -tag:cat model:sdxl", "limit": "1"}
    page = (await web.get("/jobs.json", params=query)).json()
    assert [job["job_id"] for job in page["jobs"]] == [str(ids[2])]
    page = (await web.get(page["next"])).json()
    assert [job["job_id"] for job in page["jobs"]] == [str(ids[1])]
    assert (await web.get(f"/jobs/{ids[1]}", params={"q": query["q"]})).status_code == 200
