"""Replicate's API: what its clients send, and what they get."""

import asyncio
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tasks.accounts.audit import By
from tasks.db import ids
from tasks.db.database import now
from tasks.db.tables import Attempt, Job, ModelSchema, Upload
from tasks.files.storage import Storage
from tasks.jobs import backlog, lifecycle
from tasks.library.paging import Place, Sort
from tasks.settings import settings
from tasks.spend import limits
from tasks.webhooks import signing
from tests import factories
from tests.conftest import Faults
from tests.factories import FLUX, SDXL, kept
from tests.tasks.samples import picture
from webapp.http import clients

VERSION = "39ed52f2a78e934b3ba6e2a89f5b1c712de7dfea535525255b1aa35c5565e08b"  # of SDXL
UNKNOWN = "0" * 64
FOX: dict[str, Any] = {"version": SDXL, "input": {"prompt": "a fox"}}
PREDICTIONS = "/replicate/v1/predictions"
HOST = "http://darkroom.test"


async def made(web: httpx.AsyncClient, **more: Any) -> dict[str, Any]:
    """Create a prediction. more: of its body."""
    answer = await web.post(PREDICTIONS, json=FOX | more)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def gotten(web: httpx.AsyncClient, job: Job) -> dict[str, Any]:
    """Return a prediction."""
    return dict((await web.get(f"{PREDICTIONS}/{job.id}")).raise_for_status().json())


async def a_model(name: str, inputs: dict[str, Any], output: dict[str, Any], version: str | None = None) -> None:
    schemas = {"Input": {"type": "object", "properties": inputs}, "Output": output}
    row = ModelSchema(name=name, version=version, official=True, schemas=json.dumps(schemas), fetched_at=now())
    await ModelSchema.insert(row)


@pytest.mark.parametrize("path", ["/replicate/predictions", PREDICTIONS])
async def test_a_prediction_is_an_ordinary_job(web: httpx.AsyncClient, path: str) -> None:
    wanted = {"prompt": "a fox", "width": 512}
    answer = await web.post(path, json={"version": SDXL, "input": wanted})
    created = answer.json()
    address = f"{HOST}{PREDICTIONS}/{created['id']}"
    assert (answer.status_code, answer.headers["location"]) == (201, address)
    assert created == {
        "id": created["id"], "model": SDXL, "version": VERSION, "input": wanted, "output": None, "logs": "",
        "error": None, "status": "starting", "source": "api", "data_removed": False, "started_at": None,
        "completed_at": None, "created_at": created["created_at"], "deadline": created["deadline"],
        "urls": {"get": address, "cancel": f"{address}/cancel", "web": f"{HOST}/jobs/{created['id']}"},
    }  # fmt: skip
    job = (await web.get(f"/status/{created['id']}")).json()
    assert (job["prompt"], job["model"], job["parameters"]) == ("a fox", SDXL, {"width": 512})
    assert job["origin"] == "replicate"
    assert (await web.get(address)).json() == created


@pytest.mark.parametrize(
    ("version", "model"),
    [(SDXL, SDXL), (f"{SDXL}:{VERSION}", f"{SDXL}:{VERSION}"), (VERSION, f"{SDXL}:{VERSION}"), (FLUX, FLUX)],
)
async def test_a_version_names_its_model_or_is_known(
    web: httpx.AsyncClient, standin: str, version: str, model: str
) -> None:
    created = await made(web, version=version)
    assert (created["model"], created["version"]) == (model.partition(":")[0], "hidden" if model == FLUX else VERSION)
    [job] = await Job.objects()
    assert job.model == model


async def test_a_version_is_known_from_a_model_that_was_used(web: httpx.AsyncClient, standin: str) -> None:
    await a_model("anna/painter", {"prompt": {"type": "string"}}, {"type": "string"}, UNKNOWN)
    answer = await web.post(PREDICTIONS, json=FOX | {"version": UNKNOWN})
    assert answer.status_code == 422  # the stand-in has no such model, but it was asked for it by name
    assert answer.json()["detail"] == f"Replicate has no model anna/painter:{UNKNOWN}."


@pytest.mark.parametrize("version", [UNKNOWN, "nobody/nothing", "nonsense", 5, None, f"{SDXL}:latest"])
async def test_a_version_that_is_not_known_is_refused(web: httpx.AsyncClient, standin: str, version: object) -> None:
    answer = await web.post(PREDICTIONS, json=FOX | {"version": version})
    assert (answer.status_code, answer.json()["title"]) == (422, "Invalid version or not permitted")
    assert not await Job.exists()


async def test_a_model_in_the_address_need_not_be_official(web: httpx.AsyncClient, standin: str) -> None:
    path = f"/replicate/v1/models/{SDXL}/predictions"
    assert (await web.post(path, json={"input": {"prompt": "a fox"}})).json()["model"] == SDXL
    answer = await web.post("/replicate/v1/models/nobody/nothing/predictions", json={"input": {"prompt": "a fox"}})
    expected = {"detail": "The requested resource could not be found.", "status": 404, "code": "model_not_found"}
    assert (answer.status_code, answer.json()) == (404, expected)
    answer = await web.post(path, json=FOX)
    assert (answer.status_code, answer.json()["invalid_fields"][0]["field"]) == (422, "version")


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"input": {"prompt": "a fox", "width": "wide"}}, "input.width", "width must be an integer, not a string."),
        ({"input": {"prompt": "a fox", "wdith": 5}}, "input.wdith", "The model has no parameter 'wdith'."),
        ({"input": {"width": 512}}, "input.prompt", "A prompt is required."),
        ({"input": {"prompt": 5}}, "input.prompt", "The prompt must be a string."),
        ({"input": "a fox"}, "input", "input must be an object."),
        ({"webhook": "nowhere"}, "webhook", "The address must be a valid URL"),
        ({"webhook": "http://192.168.1.1/hook"}, "webhook", "The address is not public."),
        ({"webhook_events_filter": ["start", "end"]}, "webhook_events_filter", "webhook_events_filter must be a list"),
        ({"webhook_events_filter": "completed"}, "webhook_events_filter", "webhook_events_filter must be a list"),
        ({"webhook_completed": "https://example.org"}, "webhook_completed", "There is no member"),
        ({"input": {"prompt": "a fox", "image": f"{HOST}/media/{uuid4()}.png"}}, "input.image", "This file does not"),
        ({"input": {"prompt": "a fox", "image": "data:image/png;base64,!"}}, "input.image", "The data: URL is not"),
        ({"input": {"prompt": "a fox", "image": "data:image/png;base64,"}}, "input.image", "The file is empty."),
    ],
)
async def test_a_request_that_is_refused_says_where_and_why(
    web: httpx.AsyncClient, standin: str, change: dict[str, Any], field: str, words: str
) -> None:
    answer = await web.post(PREDICTIONS, json=FOX | change)
    told = answer.json()
    assert (answer.status_code, told["status"], told["title"]) == (422, 422, "Input validation failed")
    [fault] = told["invalid_fields"]
    assert (fault["field"], fault["type"]) == (field, "invalid")
    assert fault["description"].startswith(words)
    assert told["detail"] == f"- {field}: {fault['description']}\n"
    assert not await Job.exists()


async def test_the_prompt_has_the_name_that_its_model_has_for_it(web: httpx.AsyncClient) -> None:
    await a_model("anna/speaker", {"text": {"type": "string"}}, {"type": "string", "format": "uri"})
    created = await made(web, version="anna/speaker", input={"text": "good morning"})
    assert created["input"] == {"text": "good morning"}
    assert (await web.get(f"/status/{created['id']}")).json()["prompt"] == "good morning"
    answer = await web.post(PREDICTIONS, json={"version": "anna/speaker", "input": {}})
    assert answer.json()["invalid_fields"][0]["field"] == "input.text"


async def test_a_model_without_a_prompt_is_refused(web: httpx.AsyncClient) -> None:
    await a_model("anna/upscaler", {"image": {"type": "string"}}, {"type": "string", "format": "uri"})
    answer = await web.post(PREDICTIONS, json={"version": "anna/upscaler", "input": {"image": "https://a.example/"}})
    assert answer.status_code == 422
    assert answer.json()["detail"] == "- input: anna/upscaler does not accept a text prompt.\n"


@pytest.mark.parametrize(("text", "seconds"), [("30", 30), ("90s", 90), ("5m", 300), ("1h30m45s", 5445)])
async def test_cancel_after_is_the_time_that_a_job_may_take(web: httpx.AsyncClient, text: str, seconds: int) -> None:
    answer = await web.post(PREDICTIONS, json=FOX, headers={"Cancel-After": text})
    [job] = await Job.objects()
    assert job.finish_within == seconds
    assert answer.json()["deadline"][:16] == (now() + timedelta(seconds=seconds)).isoformat()[:16] or seconds < 120


@pytest.mark.parametrize("text", ["", "soon", "4", "s", "1d", "99999999h"])
async def test_a_cancel_after_that_is_no_duration_is_refused(web: httpx.AsyncClient, text: str) -> None:
    answer = await web.post(PREDICTIONS, json=FOX, headers={"Cancel-After": text})
    assert (answer.status_code, answer.json()["invalid_fields"][0]["field"]) == (422, "Cancel-After")


async def test_a_request_that_is_repeated_makes_nothing_new(web: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "one"}
    first = await web.post(PREDICTIONS, json=FOX, headers=key)
    again = await web.post(PREDICTIONS, json=FOX, headers=key)
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await web.post(PREDICTIONS, json=FOX | {"version": FLUX}, headers=key)
    assert (other.status_code, other.json()["status"]) == (422, 422)


async def test_a_response_that_waited_too_short_says_starting(web: httpx.AsyncClient) -> None:
    """The official clients take any other status in this response for the end."""
    keyed = {"Idempotency-Key": "one"}
    created = (await web.post(PREDICTIONS, json=FOX, headers=keyed)).json()
    assert await lifecycle.claim(30)
    answer = await web.post(PREDICTIONS, json=FOX, headers=keyed | {"Prefer": "wait=1"})
    assert (answer.json()["id"], answer.json()["status"]) == (created["id"], "starting")
    assert answer.headers["preference-applied"] == "wait=1"
    assert (await web.get(f"{PREDICTIONS}/{created['id']}")).json()["status"] == "processing"


async def test_a_prediction_that_ended_says_how(web: httpx.AsyncClient) -> None:
    job = await factories.paid(predict_time=1.5, image_count=1)
    shown = await gotten(web, job)
    assert (shown["status"], shown["output"]) == ("succeeded", [f"{HOST}/media/{job.id}.png"])
    assert shown["metrics"] == {"predict_time": 1.5, "image_count": 1}
    assert shown["completed_at"] > shown["created_at"]
    assert "deadline" not in shown
    failed = await gotten(web, await factories.failed())
    assert (failed["status"], failed["error"]) == ("failed", "The model's safety filter refused this.")
    assert (failed["output"], "metrics" in failed) == (None, False)


@pytest.mark.parametrize(("begun", "status"), [(False, "aborted"), (True, "canceled")])
async def test_a_prediction_that_ran_out_of_time_was_aborted_or_canceled(
    web: httpx.AsyncClient, begun: bool, status: str
) -> None:
    job = await factories.failed()
    changes: dict[Any, Any] = {Job.error_code: "deadline", Job.started_at: now() if begun else None}
    await Job.update(changes).where(Job.id == job.id)
    assert (await gotten(web, job))["status"] == status


async def test_the_metrics_are_those_of_the_last_attempt(web: httpx.AsyncClient) -> None:
    job = await factories.paid(predict_time=1.5)
    last = Attempt(id=ids.new(), job=job.id, number=2, created_at=now(), version=f"{FLUX}:abc", metrics='{"a": 1}')
    await Attempt.insert(last)
    shown = await gotten(web, job)
    assert (shown["metrics"], shown["version"]) == ({"a": 1}, "abc")


@pytest.mark.parametrize(
    ("schema", "extension", "content", "output"),
    [
        ({"type": "string"}, "txt", "a fox is…", "a fox is…"),
        ({"type": "array", "items": {"type": "string"}}, "txt", "a fox", ["a fox"]),
        ({"type": "array", "items": {"type": "object"}}, "json", '[{"box": 1}, {"box": 2}]', [{"box": 1}, {"box": 2}]),
        ({"type": "object"}, "json", '{"boxes": [1, 2]}', {"boxes": [1, 2]}),
        ({}, "txt", "a fox", "a fox"),
    ],
)  # fmt: skip
async def test_words_of_a_model_are_the_output_itself(
    web: httpx.AsyncClient, schema: dict[str, Any], extension: str, content: str, output: object
) -> None:
    await a_model("anna/poet", {"prompt": {"type": "string"}}, schema)
    await factories.submitted(model="anna/poet")
    job = await lifecycle.claim(30)
    assert job is not None
    storage = Storage.open(settings.storage_url)
    row = await kept(storage, f"{job.id}.{extension}", content.encode())
    await lifecycle.complete(job, [row])
    assert (await gotten(web, job))["output"] == output


@pytest.mark.parametrize("kind", ["string", "array"])
async def test_a_text_that_is_a_file_of_the_model_is_an_address(web: httpx.AsyncClient, kind: str) -> None:
    address = {"type": "string", "format": "uri"}
    await a_model(
        "anna/scribe", {"prompt": {"type": "string"}}, {"type": kind, "items": address} if kind == "array" else address
    )
    await factories.submitted(model="anna/scribe")
    job = await lifecycle.claim(30)
    assert job is not None
    await lifecycle.complete(job, [await kept(Storage.open(settings.storage_url), f"{job.id}.txt", b"a fox")])
    url = f"{HOST}/media/{job.id}.txt"
    assert (await gotten(web, job))["output"] == ([url] if kind == "array" else url)


async def test_several_outputs_are_a_list(web: httpx.AsyncClient) -> None:
    await factories.submitted(model="google/nano-banana")
    job = await lifecycle.claim(30)
    assert job is not None
    storage = Storage.open(settings.storage_url)
    rows = [await kept(storage, f"{job.id}-{place}.png", b"picture", place) for place in range(2)]
    await lifecycle.complete(job, rows)
    assert (await gotten(web, job))["output"] == [f"{HOST}/media/{row.key}" for row in rows]


async def test_a_result_is_used_as_input(web: httpx.AsyncClient) -> None:
    result = await factories.completed()
    address = f"{HOST}/media/{result.id}.png"
    created = await made(web, input={"prompt": "a fox", "image": address})
    assert created["input"]["image"] == address
    job = (await web.get(f"/status/{created['id']}")).json()
    assert job["parameters"] == {"image": f"/media/{result.id}.png"}


async def test_a_prompt_stays_as_it_is_whatever_it_names(web: httpx.AsyncClient) -> None:
    prompt = f"{HOST}/media/{uuid4()}.png"
    assert (await made(web, input={"prompt": prompt}))["input"] == {"prompt": prompt}


async def test_addresses_begin_with_the_public_one(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = settings.model_copy(update={"public_url": "https://darkroom.example.org"})
    monkeypatch.setattr(clients, "settings", changed)
    result = await factories.completed()
    for origin in (HOST, changed.public_url):  # a program may also know the other one
        created = await made(web, input={"prompt": "a fox", "image": f"{origin}/media/{result.id}.png"})
        assert created["input"]["image"] == f"{changed.public_url}/media/{result.id}.png"
        assert created["urls"]["get"].startswith(f"{changed.public_url}{PREDICTIONS}/")


async def test_others_addresses_stay_as_they_are(web: httpx.AsyncClient) -> None:
    for address in ("https://a.example/media/x.png", f"{HOST}.example/media/{uuid4()}.png", "data:,a%20fox"):
        created = await made(web, input={"prompt": "a fox", "image": address})
        assert created["input"]["image"] == address


async def test_a_data_url_is_kept_as_an_upload(web: httpx.AsyncClient) -> None:
    content = picture(300, 300)
    url = f"data:image/png;base64,{b64encode(content).decode()}"
    created = await made(web, version="google/nano-banana", input={"prompt": "a fox", "image_input": [url, url]})
    [upload] = await Upload.objects()
    assert created["input"]["image_input"] == [f"{HOST}/media/{upload.key}"] * 2
    assert (await web.get(created["input"]["image_input"][0])).content == content


async def test_what_waits_is_canceled_at_once(web: httpx.AsyncClient) -> None:
    created = await made(web)
    for _ in range(2):
        answer = await web.post(f"{PREDICTIONS}/{created['id']}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "canceled")


async def test_what_has_ended_is_not_canceled(web: httpx.AsyncClient) -> None:
    job = await factories.completed()
    answer = await web.post(f"{PREDICTIONS}/{job.id}/cancel")
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")


async def test_what_runs_is_canceled_by_its_worker_before_the_response(web: httpx.AsyncClient, working: Faults) -> None:
    await working.script({"on": "create", "do": "run", "seconds": 60})
    created = await made(web)
    async with asyncio.timeout(20):
        while (await web.get(created["urls"]["get"])).json()["status"] != "processing":  # noqa: ASYNC110  # a poll
            await asyncio.sleep(0.02)
    assert (await web.post(created["urls"]["cancel"])).json()["status"] == "canceled"


@pytest.mark.parametrize(
    "path",
    ["/predictions/x", "/predictions/019ab0c4-5d1e-7b36-9533-e50ac26d7632", "/files/x", "/hardware", "/models/a/b"],
)
async def test_what_is_not_there_is_not_found(web: httpx.AsyncClient, standin: str, path: str) -> None:
    answer = await web.get(f"/replicate/v1{path}")
    told = answer.json()
    assert (answer.status_code, told.pop("code")[-9:]) == (404, "not_found")
    assert told == {"detail": "The requested resource could not be found.", "status": 404}


async def test_a_budget_without_room_is_insufficient_credit(web: httpx.AsyncClient, standin: str) -> None:
    await limits.put("all", "0.001/month", By())
    answer = await web.post(PREDICTIONS, json=FOX | {"version": FLUX})
    told = answer.json()
    assert (answer.status_code, told["title"], told["status"]) == (402, "Insufficient credit", 402)
    assert set(told) == {"title", "detail", "status", "code"}


async def test_keys_are_accepted_as_bearer_and_as_token(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    secret = (await factories.key_of(anna, "read", "submit"))["Authorization"].partition(" ")[2]
    for scheme in ("Bearer", "Token", "token"):
        answer = await web.get("/replicate/v1/account", headers={"Authorization": f"{scheme} {secret}"})
        expected = {"type": "user", "username": "anna/ci", "name": "anna/ci", "github_url": None}
        assert answer.json() == expected
    for headers in ({}, {"Authorization": "Token r8_nonsense"}):
        answer = await web.get("/replicate/v1/account", headers=headers)
        assert (answer.status_code, answer.json()["title"]) == (401, "Unauthenticated")
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_in_the_open_house_any_token_will_do(web: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Bearer r8_any"}, {"Authorization": "Token any"}):
        assert (await web.get("/replicate/v1/account", headers=headers)).status_code == 200


async def test_a_key_that_may_not_read_neither_waits_nor_sees_results(web: httpx.AsyncClient) -> None:
    headers = await factories.key_of(await factories.person(), "submit") | {"Idempotency-Key": "one"}
    created = (await web.post(PREDICTIONS, json=FOX, headers=headers)).json()
    job = await lifecycle.claim(30)
    assert job is not None
    answer = await web.post(PREDICTIONS, json=FOX, headers=headers | {"Prefer": "wait=30"})
    assert "preference-applied" not in answer.headers
    await lifecycle.complete(job, [await kept(Storage.open(settings.storage_url), f"{job.id}.png", b"picture")])
    again = (await web.post(PREDICTIONS, json=FOX, headers=headers)).json()
    assert (again["id"], again["status"], again["output"]) == (created["id"], "succeeded", None)


async def test_the_list_turns_in_both_directions(web: httpx.AsyncClient) -> None:
    jobs = [str((await factories.submitted(f"fox {number}")).id) for number in range(205)][::-1]
    pages, address, shown = [], f"{HOST}/replicate/predictions", {}
    while address:
        shown = (await web.get(address)).json()
        pages.append([row["id"] for row in shown["results"]])
        address = shown["next"]
    assert pages == [jobs[:100], jobs[100:200], jobs[200:]]
    assert shown["previous"].startswith(f"{HOST}/replicate/predictions?cursor=")
    back = (await web.get(shown["previous"])).json()
    assert [row["id"] for row in back["results"]] == pages[1]
    assert [row["id"] for row in (await web.get(back["next"])).json()["results"]] == pages[2]
    first = (await web.get(back["previous"])).json()
    assert [row["id"] for row in first["results"]] == pages[0]
    assert first["previous"] is None


async def test_the_list_is_bounded_by_times(web: httpx.AsyncClient) -> None:
    jobs = [await factories.submitted(), await factories.completed(), await factories.submitted()]
    moment = ids.moment_of(jobs[1].id)
    for job, hours in zip(jobs, (-1, 0, 1), strict=True):
        await Job.update({Job.id: ids.first_at(moment + timedelta(hours=hours))}).where(Job.id == job.id)
    newer = Place(Sort.OLDEST, ids.first_at(moment - timedelta(minutes=1)))
    for bounds, count in (
        ({"created_after": moment.isoformat()}, 2), ({"created_before": moment.isoformat()}, 1), ({}, 3),
        ({"created_after": moment.isoformat(), "created_before": (moment + timedelta(hours=1)).isoformat()}, 1),
        ({"source": "web"}, 0),
        ({"cursor": str(newer), "created_before": (moment + timedelta(hours=1)).isoformat()}, 1),
    ):  # fmt: skip
        shown = (await web.get(PREDICTIONS, params=bounds)).json()
        assert (len(shown["results"]), shown["previous"]) == (count, None), bounds
        assert (shown["next"] is None) == ("cursor" not in bounds)


@pytest.mark.parametrize("query", [{"cursor": "x"}, {"created_after": "soon"}, {"created_before": "0001-01-01"}])
async def test_a_list_that_cannot_be_is_refused(web: httpx.AsyncClient, query: dict[str, str]) -> None:
    answer = await web.get(PREDICTIONS, params=query)
    assert (answer.status_code, [fault["field"] for fault in answer.json()["invalid_fields"]]) == (422, [*query])


async def test_the_list_has_what_the_requester_may_see(web: httpx.AsyncClient) -> None:
    anna = await factories.key_of(await factories.person(), "read", "submit")
    await factories.submitted()
    own = (await web.post(PREDICTIONS, json=FOX, headers=anna)).json()
    assert [row["id"] for row in (await web.get(PREDICTIONS, headers=anna)).json()["results"]] == [own["id"]]


async def test_models_and_versions_are_described(web: httpx.AsyncClient, standin: str) -> None:
    await a_model(f"{SDXL}:{VERSION}", {}, {}, VERSION)
    listed = (await web.get("/replicate/models")).json()["results"]
    assert [row["name"] for row in listed if row["owner"] == "stability-ai"] == ["sdxl"]
    model = (await web.get(f"/replicate/models/{SDXL}")).json()
    assert (model["owner"], model["is_official"], model["url"]) == (
        "stability-ai", False, f"https://replicate.com/{SDXL}",
    )  # fmt: skip
    [version] = (await web.get(f"/replicate/models/{SDXL}/versions")).json()["results"]
    assert version == model["latest_version"] == (await web.get(f"/replicate/models/{SDXL}/versions/{VERSION}")).json()
    assert "width" in version["openapi_schema"]["components"]["schemas"]["Input"]["properties"]
    for path in (
        f"{FLUX}/versions",
        f"{SDXL}/versions/{UNKNOWN}",
        f"{SDXL}/versions/latest",
        "nobody/nothing/versions",
    ):
        assert (await web.get(f"/replicate/models/{path}")).status_code == 404, path


async def test_a_file_is_kept_listed_used_and_removed(web: httpx.AsyncClient, standin: str) -> None:
    content = picture(64, 64)
    form = {"content": ("fox.png", content, "image/png"), "metadata": ("blob", b"{}", "application/json")}
    answer = await web.post("/replicate/v1/files", files=form)
    file = answer.json()
    assert (answer.status_code, file["content_type"], file["size"]) == (201, "image/png", len(content))
    assert file["urls"] == {"get": f"{HOST}/replicate/v1/files/{file['id']}"}
    assert (await web.get(file["urls"]["get"])).json() == file
    assert (await web.get("/replicate/files")).json()["results"] == [file]
    created = await made(web, input={"prompt": "a fox", "image": file["urls"]["get"]})
    assert created["input"]["image"] == f"{HOST}/media/{file['id']}"
    kept = await web.delete(file["urls"]["get"])
    assert (kept.status_code, kept.json()["status"]) == (409, 409)
    unused = (await web.post("/replicate/v1/files", files={"content": ("b.png", picture(65, 64))})).json()
    assert (await web.delete(unused["urls"]["get"])).status_code == 204
    assert (await web.delete(unused["urls"]["get"])).status_code == 404
    assert (await web.get(f"/media/{unused['id']}")).status_code == 404


async def test_files_are_listed_to_who_sent_them(web: httpx.AsyncClient) -> None:
    someone, sent = await factories.person(), {}
    keys = [await factories.key_of(someone, "submit", "read", "read:all", name=name) for name in ("ci", "other")]
    for number, headers in enumerate(keys):
        form = {"content": (f"{number}.png", picture(64, 64 + number))}
        sent[number] = (await web.post("/replicate/v1/files", files=form, headers=headers)).json()
    for number, headers in enumerate(keys):
        assert (await web.get("/replicate/v1/files", headers=headers)).json()["results"] == [sent[number]]


@pytest.mark.parametrize(
    ("form", "status"), [({"file": ("a.png", b"x")}, 422), ({"content": ("a.svg", b"<svg xmlns='a'></svg>")}, 415)]
)
async def test_a_file_that_is_not_accepted_is_refused(
    web: httpx.AsyncClient, form: dict[str, tuple[str, bytes]], status: int
) -> None:
    answer = await web.post("/replicate/v1/files", files=form)
    assert (answer.status_code, answer.json()["status"]) == (status, status)
    assert (await web.post("/replicate/v1/files", json={})).status_code == 415


async def test_a_full_queue_says_when_to_come_back(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "settings", settings.model_copy(update={"max_waiting": 1}))
    await made(web)
    answer = await web.post(PREDICTIONS, json=FOX)
    assert (answer.status_code, answer.json()["retry_after"]) == (429, int(answer.headers["retry-after"]))


@pytest.mark.parametrize("events", [["completed"], ["start", "completed", "logs"], [], None])
async def test_a_webhook_is_told_how_a_prediction_has_ended(web: httpx.AsyncClient, events: list[str] | None) -> None:
    created = await made(web, webhook="https://example.org/hook", webhook_events_filter=events)
    [job] = await Job.objects()
    assert (str(job.id), job.webhook) == (created["id"], "https://example.org/hook")


async def test_a_webhook_that_wants_no_end_is_told_nothing(web: httpx.AsyncClient) -> None:
    await made(web, webhook="https://example.org/hook", webhook_events_filter=["start", "output", "logs"])
    [job] = await Job.objects()
    assert job.webhook is None


async def test_the_secret_of_webhooks_is_that_of_the_requesters_jobs(web: httpx.AsyncClient) -> None:
    someone = await factories.person()
    headers = await factories.key_of(someone, "submit")
    answer = await web.get("/replicate/v1/webhooks/default/secret", headers=headers)
    assert answer.json() == {"key": await signing.secret_of_jobs(someone.id)}
    assert answer.headers["cache-control"] == "no-store"
