"""The JSON API: its two shapes, and every invalid input."""

import json
import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Attempt, Job, Output, Stage
from tasks.errors import Failure
from tasks.jobs import attempts, lifecycle
from tasks.jobs.workers import Presence
from tasks.spend import adjustments
from tests import factories

EXAMPLE = {"prompt": "A futuristic city at sunset", "parameters": '{"width":512,"height":512}'}


async def posted(web: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await web.post("/generate", json=EXAMPLE | body)
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def status(web: httpx.AsyncClient, job_id: object) -> dict[str, Any]:
    answer = await web.get(f"/status/{job_id}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def refused(web: httpx.AsyncClient, code: int, **request: Any) -> dict[str, Any]:
    answer = await web.post("/generate", **request)
    assert answer.status_code == code, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = dict(answer.json())
    assert {"type", "title", "status", "detail", "code"} <= problem.keys()
    assert problem["status"] == code
    assert await Job.count() == 0, "a refused request changes nothing"
    return problem


async def test_a_prompt_is_accepted_with_an_id_and_the_place_of_its_status(web: httpx.AsyncClient) -> None:
    answer = await web.post("/generate", json=EXAMPLE)
    assert answer.status_code == 202
    body = answer.json()
    assert body == {"job_id": body["job_id"], "status": "queued"}
    assert UUID(body["job_id"]).version == 7
    assert answer.headers["location"] == f"/status/{body['job_id']}"
    assert await Job.count() == 1


async def test_a_waiting_job_tells_what_was_sent_and_nothing_that_does_not_apply(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    answer = await web.get(f"/status/{job_id}")
    body = answer.json()
    assert body.pop("created_at").endswith("Z")
    assert body.pop("deadline_at").endswith("Z")
    assert body == {
        "job_id": job_id,
        "status": "queued",
        "place": 1,
        "prompt": "A futuristic city at sunset",
        "model": "stability-ai/sdxl",
        "parameters": {"width": 512, "height": 512},
        "priority": "normal",
        "retry_count": 0,
    }
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["cache-control"] == "private, no-cache"


async def test_parameters_may_be_an_object_a_string_or_absent(web: httpx.AsyncClient) -> None:
    for parameters in ({"width": 512}, '{"width": 512}', None, {}, "{}"):
        body = await posted(web, parameters=parameters)
        shown = (await status(web, body["job_id"]))["parameters"]
        assert shown == ({"width": 512} if parameters and "width" in str(parameters) else {})
    answer = await web.post("/generate", json={"prompt": "a fox"})
    assert answer.status_code == 202


async def test_a_model_may_be_named(web: httpx.AsyncClient) -> None:
    body = await posted(web, model="black-forest-labs/flux-schnell", parameters={"aspect_ratio": "3:2"})
    assert (await status(web, body["job_id"]))["model"] == "black-forest-labs/flux-schnell"


@pytest.mark.parametrize(
    "prompt",
    [
        "🦊 im Schnee",
        "شاه در برف",
        "  leading and trailing  ",
        "two\nlines\r\nand a tab\t",
        "<script>alert(1)</script>",
        "\u202eabc",
        "x" * 10_000,
    ],
    ids=["emoji", "right-to-left", "spaces", "lines", "markup", "override", "longest"],
)
async def test_text_is_kept_exactly_as_sent(web: httpx.AsyncClient, prompt: str) -> None:
    body = await posted(web, prompt=prompt, parameters={"negative_prompt": prompt})
    shown = await status(web, body["job_id"])
    assert shown["prompt"] == prompt
    assert shown["parameters"] == {"negative_prompt": prompt}


async def test_a_running_job_tells_how_far_it_is(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.report(job, Stage.PROCESSING, 0.25)
    body = await status(web, job_id)
    assert (body["status"], body["stage"], body["progress"]) == ("running", "processing", 0.25)
    assert "started_at" in body
    assert not {"result_url", "error", "last_error", "retry_at", "finished_at", "place"} & body.keys()


async def test_a_job_that_waits_after_a_failure_tells_why_and_when(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.postpone(job, Failure("rate_limited", "Slow down.", True), 60.0)
    answer = await web.get(f"/status/{job_id}")
    body = answer.json()
    assert (body["status"], body["retry_count"], body["last_error"]) == ("queued", 1, "Slow down.")
    assert body["retry_at"].endswith("Z")
    assert "error" not in body
    assert 55 <= int(answer.headers["retry-after"]) <= 60


async def test_a_job_whose_files_cannot_be_stored_tells_why_it_waits_though_it_does_not_count(
    web: httpx.AsyncClient,
) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    await attempts.begin(job, "stability-ai/sdxl", {})
    await lifecycle.resume_later(job, Failure("storage_unavailable", "No space left.", True), 60.0, counts=False)
    body = await status(web, job_id)
    assert (body["status"], body["retry_count"]) == ("queued", 0)
    assert (body["last_error"], body["last_error_code"]) == ("No space left.", "storage_unavailable")
    assert body["retry_at"].endswith("Z")
    assert "place" not in body


async def test_a_job_that_was_refused_for_free_tells_why_it_waits_and_until_when(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.unclaim(job, Failure("provider_billing", "The account has no credit."), 60.0)
    body = await status(web, job_id)
    assert (body["status"], body["retry_count"], body["last_error"]) == ("queued", 0, "The account has no credit.")
    assert body["retry_at"].endswith("Z")
    assert "place" not in body


async def test_a_waiting_job_tells_its_place_and_when_its_turn_will_likely_come(web: httpx.AsyncClient) -> None:
    await made_in(40)
    await Presence(1).show(0)
    await posted(web)
    assert await lifecycle.claim(30)
    body = await status(web, (await posted(web))["job_id"])
    assert body["place"] == 1
    assert body["estimated_start"].endswith("Z")
    assert 35 <= (datetime.fromisoformat(body["estimated_start"]) - now()).total_seconds() <= 45


async def made_in(seconds: float) -> None:
    """Create a completed job that took `seconds`."""
    job = await lifecycle.submit("a fox", "stability-ai/sdxl", {})
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    assert await attempts.begin(claimed, "stability-ai/sdxl", {})
    await lifecycle.complete(claimed, [])
    await Attempt.update({Attempt.created_at: now() - timedelta(seconds=seconds)}).where(Attempt.job == job.id)


async def test_a_priority_and_a_time_to_finish_within_are_taken(web: httpx.AsyncClient) -> None:
    body = await posted(web, priority="high", finish_within=60)
    shown = await status(web, body["job_id"])
    assert shown["priority"] == "high"
    left = datetime.fromisoformat(shown["deadline_at"]) - datetime.fromisoformat(shown["created_at"])
    assert abs(left - timedelta(seconds=60)) < timedelta(seconds=1), "the one is the database's time"
    for nothing in ({"priority": None, "finish_within": None}, {}):
        shown = await status(web, (await posted(web, **nothing))["job_id"])
        assert shown["priority"] == "normal"


async def test_a_job_that_has_ended_has_no_deadline_any_more(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web, finish_within=5))["job_id"]
    await Job.update({Job.deadline_at: now()}).where(Job.id == UUID(job_id))
    await lifecycle.expire()
    body = await status(web, job_id)
    assert (body["status"], body["error_code"]) == ("failed", "deadline")
    assert body["error"] == "It did not finish within the time allowed."
    assert "deadline_at" not in body


@pytest.mark.parametrize("priority", ["", "urgent", "HIGH", 3, True, ["high"], {}])
async def test_a_priority_that_is_none_is_refused(web: httpx.AsyncClient, priority: object) -> None:
    problem = await refused(web, 422, json={"prompt": "a fox", "priority": priority})
    assert problem["code"] == "invalid_priority"
    assert problem["errors"] == [{"pointer": "#/priority", "detail": "The priority must be one of low, normal, high."}]


@pytest.mark.parametrize("seconds", [4, 0, -1, 30 * 86400 + 1, 10**30, 60.5, "60", True, [60], {}])
async def test_a_time_to_finish_within_that_is_none_is_refused(web: httpx.AsyncClient, seconds: object) -> None:
    problem = await refused(web, 422, json={"prompt": "a fox", "finish_within": seconds})
    assert problem["code"] == "invalid_finish_within"
    assert problem["errors"][0]["pointer"] == "#/finish_within"
    assert "from 5 to 2,592,000" in problem["detail"]


@pytest.mark.parametrize("seconds", [5, 30 * 86400])
async def test_the_shortest_and_the_longest_time_are_taken(web: httpx.AsyncClient, seconds: int) -> None:
    await posted(web, finish_within=seconds)


async def test_a_failed_job_tells_why(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.fail(job, Failure("provider_timeout", "API timeout while calling Replicate."))
    answer = await web.get(f"/status/{job_id}")
    body = answer.json()
    assert body["status"] == "failed"
    assert body["error"] == "API timeout while calling Replicate."
    assert body["error_code"] == "provider_timeout"
    assert "retry-after" not in answer.headers
    assert not {"result_url", "outputs", "stage", "progress", "last_error"} & body.keys()


async def test_a_completed_job_tells_where_each_output_is_and_what_it_is(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    job = await lifecycle.claim(30)
    assert job is not None
    picture = Output(
        id=ids.new(),
        position=0,
        key=f"{job_id}.png",
        kind="image",
        media_type="image/png",
        bytes=9,
        sha256="0" * 64,
        width=512,
        height=512,
        preview_key=f"{job_id}-0.preview.webp",
        placeholder="data:image/webp;base64,AA==",
    )
    film = Output(
        id=ids.new(),
        position=1,
        key=f"{job_id}-1.mp4",
        kind="video",
        media_type="video/mp4",
        bytes=99,
        sha256="1" * 64,
        duration=2.5,
    )
    await lifecycle.complete(job, [picture, film])
    body = await status(web, job_id)
    assert body["result_url"] == f"/media/{job_id}.png"
    assert body["outputs"] == [
        {
            "position": 0,
            "url": f"/media/{job_id}.png",
            "kind": "image",
            "media_type": "image/png",
            "bytes": 9,
            "sha256": "0" * 64,
            "width": 512,
            "height": 512,
            "preview_url": f"/media/{job_id}-0.preview.webp",
        },
        {
            "position": 1,
            "url": f"/media/{job_id}-1.mp4",
            "kind": "video",
            "media_type": "video/mp4",
            "bytes": 99,
            "sha256": "1" * 64,
            "duration": 2.5,
        },
    ]


async def test_a_job_tells_what_it_cost(web: httpx.AsyncClient) -> None:
    job = await factories.paid(image_output_count=4)
    assert (await status(web, job.id))["cost"] == {"usd": "0.012", "micros": 12_000, "basis": "metrics"}
    page = (await web.get(f"/jobs/{job.id}", headers={"Accept": "text/html"})).text
    assert "$0.012" in page
    assert "$3.00 per thousand output images" in page
    assert "$0.012" in (await web.get("/", headers={"Accept": "text/html"})).text
    assert "cost" not in await status(web, (await factories.paid("stability-ai/sdxl", predict_time=1.5)).id)


async def test_a_job_tells_how_its_cost_was_put_right(web: httpx.AsyncClient) -> None:
    job = await factories.paid(image_output_count=4)
    assert await adjustments.adjust(job, -2_000, "One was <b>empty</b>", By())
    assert await adjustments.adjust(job, 500, "A fee", By())
    assert (await status(web, job.id))["cost"] == {"usd": "0.0105", "micros": 10_500, "basis": "adjusted"}
    for path in (f"/jobs/{job.id}", f"/jobs/{job.id}/panel"):
        page = (await web.get(path, headers={"Accept": "text/html"})).text
        facts = re.findall(r"<dt>(.+?)</dt><dd.*?>(.+?)</dd>", page.partition('id="cost-title"')[2])
        assert facts[:3] == [
            ("All in all", "$0.0105"),
            ("Attempt 1", "$0.012"),
            ("Based on", "what Replicate measured"),
        ]
        assert facts[6:8] == [
            ("Adjusted", "-$0.002: One was &lt;b&gt;empty&lt;/b&gt;"), ("Adjusted", "$0.0005: A fee"),
        ]  # fmt: skip


@pytest.mark.parametrize(
    ("prompt", "detail"),
    [
        (None, "required"),
        ("", "empty"),
        (" \n\t", "empty"),
        ("x" * 10_001, "10,001 characters"),
        (7, "must be a string"),
        (["a"], "must be a string"),
        ("a\x00b", "invalid character"),
    ],
    ids=["missing", "empty", "blank", "too long", "number", "list", "NUL"],
)
async def test_a_prompt_that_is_none_is_refused(web: httpx.AsyncClient, prompt: object, detail: str) -> None:
    problem = await refused(web, 422, json={"prompt": prompt})
    assert problem["code"] == "invalid_prompt"
    assert problem["errors"][0]["pointer"] == "#/prompt"
    assert detail in problem["detail"]


async def test_a_missing_prompt_is_refused(web: httpx.AsyncClient) -> None:
    assert (await refused(web, 422, json={}))["code"] == "invalid_prompt"


@pytest.mark.parametrize(
    ("parameters", "pointer", "detail"),
    [
        ("not json", "#/parameters", "not valid JSON"),
        ("[1]", "#/parameters", "must be a JSON object"),
        ("7", "#/parameters", "must be a JSON object"),
        ("null", None, None),
        ([1], "#/parameters", "must be a JSON object"),
        (7, "#/parameters", "must be a JSON object"),
        (True, "#/parameters", "must be a JSON object"),
        ('{"width": NaN}', "#/parameters", "not valid JSON"),
        ({"widht": 512}, "#/parameters/widht", "The model has no parameter 'widht'. It has: prompt,"),
        ({"width": "wide"}, "#/parameters/width", "width must be an integer, not a string."),
        ({"num_outputs": 9}, "#/parameters/num_outputs", "num_outputs must be at most 4."),
        ({"scheduler": "FAST"}, "#/parameters/scheduler", "scheduler must be one of DDIM,"),
        ({"image": "a picture"}, "#/parameters/image", "image must be a web address (URL)."),
        ({"negative_prompt": "a\x00b"}, "#/parameters/negative_prompt", "invalid character"),
        ({"prompt": "another"}, "#/parameters/prompt", "not a parameter"),
    ],
)
async def test_parameters_that_do_not_fit_are_refused(
    web: httpx.AsyncClient, parameters: object, pointer: str | None, detail: str | None
) -> None:
    if pointer is None or detail is None:  # null means no parameters, also in a string
        await posted(web, parameters=parameters)
        return
    problem = await refused(web, 422, json={"prompt": "a fox", "parameters": parameters})
    assert problem["code"] == "invalid_parameters"
    assert problem["errors"][0]["pointer"] == pointer
    assert detail in problem["detail"]


async def test_every_fault_is_told_at_once(web: httpx.AsyncClient) -> None:
    body = {"prompt": "a fox", "parameters": {"width": "x", "num_outputs": 0, "nope": 1}}
    problem = await refused(web, 422, json=body)
    assert [error["pointer"] for error in problem["errors"]] == [
        "#/parameters/nope",
        "#/parameters/num_outputs",
        "#/parameters/width",
    ]
    everything = {"prompt": "", "model": "x", "parameters": "{", "priority": 7, "finish_within": 1, "sede": 1}
    problem = await refused(web, 422, json=everything)
    assert problem["code"] == "invalid_request"
    assert {error["pointer"] for error in problem["errors"]} == {f"#/{name}" for name in everything}


@pytest.mark.parametrize(
    ("name", "step"), [("a/b", "a~1b"), ("a~1b", "a~01b"), ("a b%", "a%20b%25"), ("größe", "gr%C3%B6%C3%9Fe"), ("", "")]
)
async def test_pointers_name_members_as_the_rfcs_want_it(web: httpx.AsyncClient, name: str, step: str) -> None:
    """RFC 6901: escaped, and as the fragment of an address percent-encoded."""
    problem = await refused(web, 422, json={"prompt": "a fox", name: 1, "parameters": {name: "\0"}})
    assert [error["pointer"] for error in problem["errors"]] == [f"#/{step}", f"#/parameters/{step}"]


@pytest.mark.parametrize("model", ["", "sdxl", "a/b/c", "a/b:latest", "a b/c", "../x", 7, {"name": "x"}])
async def test_a_model_without_a_models_name_is_refused(web: httpx.AsyncClient, model: object) -> None:
    problem = await refused(web, 422, json={"prompt": "a fox", "model": model})
    assert problem["code"] == "invalid_model"
    assert problem["errors"][0]["pointer"] == "#/model"


async def test_an_unknown_model_is_refused(web: httpx.AsyncClient, standin: str) -> None:
    problem = await refused(web, 422, json={"prompt": "a fox", "model": "nobody/nothing"})
    assert problem["code"] == "unknown_model"


@pytest.mark.parametrize("name", ["Prompt", "parameter", "version"])
async def test_members_that_do_not_exist_are_refused(web: httpx.AsyncClient, name: str) -> None:
    problem = await refused(web, 422, json={"prompt": "a fox", name: "x"})
    assert problem["errors"][0]["pointer"] == f"#/{name}"


@pytest.mark.parametrize("body", [b"", b"{", b'{"prompt": "a}', b"\xff\xfe", b'{"prompt": "\xff"}', b"prompt=a"])
async def test_malformed_json_is_refused(web: httpx.AsyncClient, body: bytes) -> None:
    problem = await refused(web, 400, content=body, headers={"Content-Type": "application/json"})
    assert problem["code"] == "malformed_json"


async def test_half_a_surrogate_pair_is_no_text(web: httpx.AsyncClient) -> None:
    body = rb'{"prompt": "a \ud83d fox"}'
    problem = await refused(web, 400, content=body, headers={"Content-Type": "application/json"})
    assert problem["code"] == "malformed_json"
    assert await Job.count() == 0


@pytest.mark.parametrize("body", [[], "a fox", 7, None])
async def test_a_body_that_is_no_object_is_refused(web: httpx.AsyncClient, body: object) -> None:
    assert (await refused(web, 422, content=json.dumps(body), headers={"Content-Type": "application/json"}))["errors"]


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
async def test_another_content_type_is_refused(web: httpx.AsyncClient, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    problem = await refused(web, 415, content=json.dumps(EXAMPLE), headers=headers)
    assert problem["code"] == "unsupported_media_type"


async def test_json_with_a_charset_is_json(web: httpx.AsyncClient) -> None:
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = await web.post("/generate", content=json.dumps(EXAMPLE), headers=headers)
    assert answer.status_code == 202


async def test_a_body_over_a_mebibyte_is_refused(web: httpx.AsyncClient) -> None:
    body = json.dumps({"prompt": "x" * 2**20})
    problem = await refused(web, 413, content=body, headers={"Content-Type": "application/json"})
    assert problem["code"] == "body_too_large"


@pytest.mark.parametrize("job_id", [uuid4(), "no-uuid", "123", "%00", "a" * 300])
async def test_an_unknown_job_is_not_found(web: httpx.AsyncClient, job_id: object) -> None:
    answer = await web.get(f"/status/{job_id}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "job_not_found"


async def test_a_deleted_job_is_gone(web: httpx.AsyncClient) -> None:
    job_id = (await posted(web))["job_id"]
    await lifecycle.cancel(UUID(job_id))
    await lifecycle.delete(UUID(job_id))
    answer = await web.get(f"/status/{job_id}")
    assert (answer.status_code, answer.json()["code"]) == (410, "job_deleted")


@pytest.mark.parametrize("path", ["/", "/docs", "/schema/openapi.json", "/healthz", "/status/{job}", "/jobs/{job}"])
async def test_what_can_be_got_can_be_asked_for_its_head(web: httpx.AsyncClient, path: str) -> None:
    path = path.format(job=(await posted(web))["job_id"])
    got, head = await web.get(path), await web.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/generate", "POST"), ("PUT", "/generate", "POST"), ("POST", "/status/x", "GET")],
)
async def test_a_wrong_method_is_refused_with_the_right_one(
    web: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await web.request(method, path)
    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert allowed in answer.headers["allow"]


async def test_an_address_with_nothing_there_is_told_to_programs_as_a_problem_and_to_people_as_a_page(
    web: httpx.AsyncClient,
) -> None:
    for_programs = await web.get("/nothing/here")
    assert (for_programs.status_code, for_programs.json()["code"]) == (404, "not_found")
    for_people = await web.get("/nothing/here", headers={"Accept": "text/html,*/*"})
    assert for_people.status_code == 404
    assert "text/html" in for_people.headers["content-type"]
    assert "There is nothing at this address." in for_people.text


async def test_when_replicate_cannot_say_what_a_model_takes_the_answer_says_when_to_try_again(
    web: httpx.AsyncClient, faults: Any
) -> None:
    await faults.script({"on": "model", "do": "status", "status": 503, "times": 1})
    problem_answer = await web.post("/generate", json={"prompt": "a fox", "model": "some/model"})
    assert problem_answer.status_code == 503
    assert int(problem_answer.headers["retry-after"]) >= 1
    assert await Job.count() == 0
