"""The answers of the API, one of each kind, compared field by field with those recorded in answers.json.

What differs between runs is replaced: ids by their order, times and digests by a word, places by 1. The titles and
types of errors are left out, because they only say the code in other words, and the ids of their requests. To record
the answers again, delete answers.json and run this test twice.
"""

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from tasks.curation import collections, saved_searches
from tasks.db import ids
from tasks.db.tables import Output, Stage
from tasks.jobs import lifecycle
from tasks.library.paging import Sort
from tasks.library.query import parse
from tests import factories
from tests.tasks import samples

RECORD = Path(__file__).with_name("answers.json")
HEADERS = ("content-type", "location", "link", "retry-after", "vary", "etag", "cache-control", "allow")
UUID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
VARIES = {
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z": "<time>",
    r"\b[0-9a-f]{64}\b": "<sha256>",
    r'(W/)?\\"[0-9a-f]{16}\\"': "<etag>",
    r"(?<=cursor=)[\w-]+": "<cursor>",
    r'(?<="place": )\d+': "1",
    r"no worker seen in the last \d+ s": "<no worker>",
}

Answers = dict[str, Any]


class Recorder:
    """Sends requests, and notes their answers by what was sent."""

    def __init__(self, web: httpx.AsyncClient) -> None:
        self._web = web
        self._ids: dict[str, str] = {}
        self.answers: Answers = {}

    async def send(self, name: str, method: str, path: str, **request: Any) -> Any:
        """Send a request, and note its answer under `name`. Returns the JSON of the answer."""
        answer = await self._web.request(method, path, **request)
        json_type = "json" in answer.headers.get("content-type", "")
        body: Any = answer.json() if json_type else None
        if answer.headers.get("content-type") == "application/problem+json":
            assert {"type", "title"} <= body.keys()
            assert body["request_id"] == answer.headers["x-request-id"]
            del body["type"], body["title"], body["request_id"]
        assert name not in self.answers
        self.answers[name] = self._fixed(
            {
                "request": f"{method} {path}",
                "status": answer.status_code,
                "headers": {header: _as_set(answer.headers[header]) for header in HEADERS if header in answer.headers},
                "body": body if json_type else len(answer.content) > 0,
            }
        )
        return body

    def _fixed(self, value: Any) -> Any:
        text = re.sub(UUID_PATTERN, lambda found: self._of_id(found[0]), json.dumps(value))
        for pattern, word in VARIES.items():
            text = re.sub(pattern, word, text)
        return json.loads(text)

    def _of_id(self, found: str) -> str:
        return self._ids.setdefault(found, f"<id {len(self._ids) + 1}>")


def _as_set(value: str) -> str:
    return ", ".join(sorted({part.strip() for part in value.split(",")}))


async def in_every_state() -> dict[str, str]:
    """Create jobs in every state. Returns their ids by name."""
    made = {}
    job = await factories.submitted("a fox that is complete", {"width": 512, "seed": 7})
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    output = Output(
        id=ids.new(), position=0, key=f"{job.id}.png", stored_key=f"{job.id}-0.png", kind="image",
        media_type="image/png", bytes=3, width=512, height=512, sha256="ab" * 32,
        preview_key=f"{job.id}-0.preview.webp",
    )  # fmt: skip
    await lifecycle.complete(claimed, [output])
    made["completed"] = str(job.id)
    made["failed"] = str((await factories.failed()).id)
    made["running"] = str((await factories.submitted("a fox that runs")).id)
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await lifecycle.report(claimed, Stage.PROCESSING, 0.25)
    made["queued"] = str((await factories.submitted("a fox that waits")).id)
    return made


async def ask_everything(web: httpx.AsyncClient) -> Answers:
    """Send one request of each kind. Returns the answers."""
    recorder = Recorder(web)
    send = recorder.send
    made = await in_every_state()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    page, program = {"Accept": "text/html"}, {"Accept": "application/json"}

    for state, job_id in made.items():
        await send(f"status of a {state} job", "GET", f"/status/{job_id}")
        await send(f"job as JSON, {state}", "GET", f"/jobs/{job_id}", headers=program)
    await send("status of nothing", "GET", f"/status/{uuid4()}")
    await send("status of no id", "GET", "/status/x")
    await send("page of nothing", "GET", "/jobs/x", headers=page)

    await send("generate", "POST", "/generate", json={"prompt": "a fox"})
    everything = {
        "prompt": "a fox", "model": factories.SDXL, "parameters": '{"width": 512}', "priority": "high",
        "finish_within": 300, "made_from": made["completed"], "webhook": "https://example.org/hook",
    }  # fmt: skip
    full = await send("generate with everything", "POST", "/generate", json=everything, headers={"X-Client": "ab"})
    await send("status of it", "GET", f"/status/{full['job_id']}")
    for name, body in {
        "nothing": {}, "null": {"prompt": None}, "number": {"prompt": 5}, "blank": {"prompt": "  "},
        "too long": {"prompt": "x" * 10_001}, "unknown members": {"prompt": "a", "nope": 1, "other": 2},
        "parameters in text": {"prompt": "a", "parameters": "{"},
        "parameters in a list": {"prompt": "a", "parameters": []},
        "unknown parameter": {"prompt": "a", "parameters": {"nope": 1}},
        "two bad parameters": {"prompt": "a", "parameters": {"width": "x", "height": 5000}},
        "no model": {"prompt": "a", "model": "nope"}, "unknown model": {"prompt": "a", "model": "nobody/nothing"},
        "priority": {"prompt": "a", "priority": "urgent"}, "finish_within": {"prompt": "a", "finish_within": 1},
        "made_from": {"prompt": "a", "made_from": "x"}, "webhook": {"prompt": "a", "webhook": "x"},
        "all of it": {"prompt": 5, "model": 5, "parameters": 5, "priority": 5, "finish_within": "5", "made_from": 5},
    }.items():  # fmt: skip
        await send(f"generate refused: {name}", "POST", "/generate", json=body)
    json_type = {"Content-Type": "application/json"}
    await send("generate refused: no JSON", "POST", "/generate", content=b"{", headers=json_type)
    await send("generate refused: no body", "POST", "/generate", headers=json_type)
    await send("generate refused: a list", "POST", "/generate", json=[])
    await send("generate refused: a form", "POST", "/generate", data={"prompt": "a"})
    await send("generate refused: client", "POST", "/generate", json={"prompt": "a"}, headers={"X-Client": "a b"})
    await send("generate refused: other site", "POST", "/generate", json={}, headers={"Sec-Fetch-Site": "cross-site"})
    await send("generate refused: too large", "POST", "/generate", content=b" " * (2**20 + 1), headers=json_type)
    await send("generate by GET", "GET", "/generate")

    listed = await send("list", "GET", "/jobs.json?limit=2&q=fox")
    await send("next page", "GET", listed["next"])
    await send("list of nothing", "GET", "/jobs.json?q=nothing")
    for query in ("limit=0", "limit=x", "sort=x", "q=fav:maybe", "q=%22", "cursor=x"):
        await send(f"list refused: {query}", "GET", f"/jobs.json?{query}")

    done = made["completed"]
    every_change = {"favorite": True, "rating": 4, "tags": ["Sea", "for  print"], "notes": "n", "trashed": False}
    await send("change", "PATCH", f"/jobs/{done}", json=every_change)
    bad_change = {"favorite": 1, "rating": 6, "tags": [1], "notes": 1, "trashed": None, "nope": 1}
    await send("change refused", "PATCH", f"/jobs/{done}", json=bad_change)
    await send("change refused: tags", "PATCH", f"/jobs/{done}", json={"tags": ["a,b"]})
    await send("change refused: not ended", "PATCH", f"/jobs/{made['queued']}", json={"trashed": True})
    await send("change of nothing", "PATCH", f"/jobs/{uuid4()}", json={"rating": 1})
    await send("cancel a waiting job", "POST", f"/jobs/{made['queued']}/cancel")
    await send("cancel a running job", "POST", f"/jobs/{made['running']}/cancel")
    await send("cancel too late", "POST", f"/jobs/{done}/cancel")
    await send("cancel nothing", "POST", f"/jobs/{uuid4()}/cancel")
    await send("retry a failed job", "POST", f"/jobs/{made['failed']}/retry")
    await send("retry a waiting job", "POST", f"/jobs/{made['failed']}/retry")
    await send("retry refused", "POST", f"/jobs/{done}/retry")

    batch = await send("batch", "POST", "/batches", json={"prompt": "a {red|blue} fox", "seeds": [7, 8]})
    await send("batch as JSON", "GET", f"/batches/{batch['batch_id']}.json")
    await send("batch by Accept", "GET", f"/batches/{batch['batch_id']}", headers=program)
    await send("batch canceled", "POST", f"/batches/{batch['batch_id']}/cancel")
    await send("batch of nothing", "GET", f"/batches/{uuid4()}.json")
    for name, body in {
        "too many": {"prompt": "a {b|c}", "seeds": 256}, "unreadable": {"prompt": "{a|"},
        "seeds": {"prompt": "a", "seeds": "x"},
        "models": {"prompt": "a", "models": [5, "x"]}, "unknown member": {"prompt": "a", "model": "x/y"},
    }.items():  # fmt: skip
        await send(f"batch refused: {name}", "POST", "/batches", json=body)

    await collections.create("harbors")
    await saved_searches.save("foxes", parse("fox"), Sort.NEWEST)
    preset = {"model": "stability-ai/sdxl", "name": "Wide", "parameters": {"width": 1280, "height": 768}}
    made = await send("POST /presets", "POST", "/presets", json=preset)
    await send("POST /presets, taken", "POST", "/presets", json=preset)
    await send("GET /presets", "GET", "/presets")
    for name in ("DELETE /presets/{id}", "DELETE /presets/{id}, gone"):
        await send(name, "DELETE", f"/presets/{made['id']}")
    for path in ("/models", "/models/stability-ai/sdxl", "/models/nobody/nothing", "/collections.json", "/searches"):
        await send(f"GET {path}", "GET", path)
    await send("collections by Accept", "GET", "/collections", headers=program)

    await send("select", "POST", "/selection", content="action=tag&tag=x&all=1&q=fox", headers=form | program)
    undo = recorder.answers["select"]["body"]["undo"]
    assert undo.startswith("/undo/<id"), undo
    for body in ("action=tag&tag=x", "action=nope&all=1", "action=tag&tag=x&all=1&q=fav:x", "action=tag&tag=x&job=x"):
        await send(f"select refused: {body}", "POST", "/selection", content=body, headers=form | program)
    await send("undo nothing", "POST", f"/undo/{uuid4()}")
    await send("ZIP of nothing", "GET", "/selection.zip", headers=program)

    picture = {"file": ("a.png", samples.picture(64, 64), "image/png")}
    await send("upload", "POST", "/uploads", files=picture)
    for name, content in {
        "empty": b"",
        "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "broken": b"\x89PNG\r\n\x1a\n0",
    }.items():
        await send(f"upload refused: {name}", "POST", "/uploads", files={"file": ("a", content, "image/png")})
    await send("upload refused: no form", "POST", "/uploads", content=b"x")
    await send("upload refused: no file", "POST", "/uploads", files={"file": (None, "x")})
    await send("imprint refused", "POST", "/imprint", content=samples.picture(8, 8))

    await send("finished", "GET", "/finished.json")
    await send("finished refused", "GET", "/finished.json?since=yesterday")
    await send("webhook refused", "POST", "/webhooks/replicate", json={"id": "x"})
    await send("healthz", "GET", "/healthz")
    await send("readyz", "GET", "/readyz")
    await send("no address", "GET", "/nope")
    await send("deleted", "PATCH", f"/jobs/{done}", json={"trashed": True})
    await web.post(f"/jobs/{done}/delete")
    await send("status of a deleted job", "GET", f"/status/{done}")
    await send("options", "OPTIONS", "/generate")
    return recorder.answers


async def test_every_answer_is_as_it_was_recorded(web: httpx.AsyncClient, standin: str) -> None:
    answers = await ask_everything(web)
    if not RECORD.exists():
        RECORD.write_text(json.dumps(answers, indent=1, sort_keys=True) + "\n")
    recorded = json.loads(RECORD.read_text())
    assert answers.keys() == recorded.keys()
    for name, answer in answers.items():
        assert answer == recorded[name], name
