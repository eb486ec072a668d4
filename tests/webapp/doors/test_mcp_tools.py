"""What the tools of MCP answer: jobs in short, what they cost, and refusals that a model can act on."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from mcp.types import CallToolResult, ImageContent, ResourceLink

from tasks.accounts import keys
from tasks.accounts.audit import By
from tasks.db.tables import Job, Output
from tasks.files.storage import Storage
from tasks.jobs import backlog, lifecycle
from tasks.settings import settings
from tasks.spend import limits
from tests import factories
from tests.factories import FLUX, SDXL
from tests.webapp.doors.agent import answered, called, refused, text_of
from tests.webapp.raw import app_of
from webapp.doors.mcp_jobs import MAX_FILES, MAX_PREVIEW_BYTES


async def with_outputs(*previews: int, others: int = 0) -> Job:
    """Return a completed job whose outputs have previews of these sizes, and others that have none."""
    await factories.submitted("a fox with files")
    job = await lifecycle.claim(30)
    assert job is not None
    storage, outputs = Storage.open(settings.storage_url), []
    for position, size in enumerate([*previews, *[0] * others]):
        row = await factories.kept(storage, f"{job.id}-{position}.png", b"picture", position)
        if size:
            row.preview_key = f"{job.id}-{position}.preview.webp"
            row.stored_preview_key = f"stored-{row.preview_key}"
            await storage.put(row.stored_preview_key, bytes([position]) * size)
        outputs.append(row)
    await lifecycle.complete(job, outputs)
    return job


@contextmanager
def storage_away() -> Iterator[None]:
    media = Path(settings.storage_url)
    elsewhere = media.rename(media.with_name("elsewhere"))
    yield
    elsewhere.rename(media)


def images(result: CallToolResult) -> list[ImageContent]:
    return [each for each in result.content if isinstance(each, ImageContent)]


async def test_a_job_that_has_not_ended_says_what_to_do(web: httpx.AsyncClient) -> None:
    result = await called(web, "generate", prompt="a fox", wait=0)
    text = json.loads(text_of(result))
    assert (text["status"], text["cost_usd"], text["place"], text["files"]) == ("queued", None, 1, [])
    assert text["next"] == "It has not ended. Call job with this job_id and wait: 45."
    assert text["job_id"] == result.structured_content["job_id"]


async def test_job_waits_for_the_end(web: httpx.AsyncClient) -> None:
    job = await factories.submitted()
    waits = asyncio.ensure_future(called(web, "job", job_id=str(job.id), wait=45))
    async with asyncio.timeout(10):
        while not app_of(web).state.hub.waiters:  # noqa: ASYNC110  # no event says when
            await asyncio.sleep(0.01)
    claimed = await lifecycle.claim(30)
    assert claimed is not None
    await lifecycle.complete(claimed, [])
    assert (await waits).structured_content["status"] == "completed"
    assert not app_of(web).state.hub.waiters


async def test_a_preview_that_is_too_large_is_left_out(web: httpx.AsyncClient) -> None:
    job = await with_outputs(MAX_PREVIEW_BYTES + 1, MAX_PREVIEW_BYTES)
    [image] = images(await called(web, "job", job_id=str(job.id)))
    assert len(image.data) == (MAX_PREVIEW_BYTES + 2) // 3 * 4
    assert image.data.startswith("AQEB"), "of the second output"
    job = await with_outputs(MAX_PREVIEW_BYTES + 1)
    assert images(await called(web, "job", job_id=str(job.id))) == []


async def test_a_preview_that_cannot_be_read_is_left_out(web: httpx.AsyncClient) -> None:
    job = await with_outputs(100)
    with storage_away():
        result = await called(web, "job", job_id=str(job.id))
    assert (result.is_error, images(result)) == (False, [])
    await Output.update({Output.stored_preview_key: "gone.webp"}).where(Output.job == job.id)
    assert images(await called(web, "job", job_id=str(job.id))) == []


async def test_of_many_files_the_first_are_told(web: httpx.AsyncClient) -> None:
    job = await with_outputs(others=MAX_FILES + 3)
    result = await called(web, "job", job_id=str(job.id))
    links = [each for each in result.content if isinstance(each, ResourceLink)]
    assert len(links) == len(result.structured_content["outputs"]) == MAX_FILES
    text = json.loads(text_of(result))
    assert (len(text["files"]), text["more_files"]) == (MAX_FILES, 3)


async def test_a_failed_job_says_why(web: httpx.AsyncClient) -> None:
    job = await factories.failed()
    result = await called(web, "job", job_id=str(job.id))
    assert json.loads(text_of(result))["error"] == "The model's safety filter refused this."
    assert not result.is_error, "the call did what it should"


async def test_a_key_of_a_call_is_used_once(web: httpx.AsyncClient) -> None:
    first, again = [await answered(web, "generate", prompt="a fox", wait=0, idempotency_key="fox-1") for _ in range(2)]
    assert first["job_id"] == again["job_id"]
    assert await Job.count() == 1
    assert (await refused(web, "generate", prompt="a wolf", wait=0, idempotency_key="fox-1"))[
        0
    ] == "idempotency_mismatch"
    assert (await refused(web, "generate", prompt="a wolf", idempotency_key="a b"))[0] == "invalid_idempotency_key"


async def test_every_fault_of_the_input_is_told(web: httpx.AsyncClient) -> None:
    parameters = {"width": "wide", "nope": 1}
    code, detail, problem = await refused(web, "generate", prompt="a fox", parameters=parameters)
    assert code == "invalid_parameters"
    assert "The model has no parameter 'nope'." in detail
    assert {error["pointer"] for error in problem["errors"]} == {"#/parameters/nope", "#/parameters/width"}
    assert (await refused(web, "generate", prompt=" "))[:2] == (
        "invalid_prompt", "The prompt is empty. Describe what to make.",
    )  # fmt: skip
    assert await Job.count() == 0


async def test_a_budget_without_room_is_something_to_read(web: httpx.AsyncClient) -> None:
    await limits.put("all", "0.005/day", By())
    asked = {"prompt": "a fox", "model": FLUX, "parameters": {"num_outputs": 4}}
    code, detail, problem = await refused(web, "generate", **asked)
    assert code == "budget_exceeded"
    assert detail.startswith("This may cost $0.012, and ")
    assert "$0.005" in detail
    assert (problem["budget"]["left"], problem["budget"]["needs"]) == ("0.005", "0.012")
    assert await Job.count() == 0


async def test_a_full_queue_is_something_to_read(web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "settings", settings.model_copy(update={"max_waiting": 0}))
    code, detail, _ = await refused(web, "generate", prompt="a fox")
    assert code == "queue_full"
    assert re.fullmatch(r"0 jobs are already waiting; the limit is 0\. Try again in \d+ s\.", detail)


async def test_a_waiting_job_is_canceled(web: httpx.AsyncClient) -> None:
    job = await factories.submitted()
    outcomes = [await answered(web, "cancel", job_id=str(job.id)) for _ in range(2)]
    assert [(each["status"], each["cancel"]) for each in outcomes] == [("canceled", "dequeued")] * 2
    running = await factories.submitted()
    assert await lifecycle.claim(30)
    assert (await answered(web, "cancel", job_id=str(running.id)))["cancel"] == "requested"
    done = await factories.paid()
    assert (await answered(web, "cancel", job_id=str(done.id)))["cancel"] == "too_late"


async def test_a_search_is_short_and_goes_on(web: httpx.AsyncClient) -> None:
    for number in range(3):
        await factories.submitted(f"fox {number} {'x' * 300}")
    await factories.submitted("a wolf")
    first = await answered(web, "search", q="fox", limit=2)
    assert [each["prompt"][:5] for each in first["jobs"]] == ["fox 2", "fox 1"]
    assert all(len(each["prompt"]) == 201 for each in first["jobs"])
    assert first["jobs"][0].keys() == {"job_id", "status", "model", "prompt", "files", "cost_usd", "place"}
    rest = await answered(web, "search", q="fox", limit=2, cursor=first["next"])
    assert ([each["prompt"][:5] for each in rest["jobs"]], rest["next"]) == (["fox 0"], None)
    assert (await refused(web, "search", q="rating:9"))[0] == "invalid_query"
    assert (await refused(web, "search", cursor="x"))[0] == "invalid_cursor"
    assert (await refused(web, "search", limit=21))[1] == "limit must be at most 20."


async def test_models_are_listed_and_shown_with_their_price(web: httpx.AsyncClient) -> None:
    listed = await answered(web, "models")
    assert {SDXL, FLUX} <= {each["name"] for each in listed["models"]}
    assert listed["default_model"] == SDXL
    flux = await answered(web, "model", name=FLUX)
    assert flux["input_schema"]["properties"]["num_outputs"]["maximum"] == 4
    assert (flux["price"]["low"], flux["price"]["high"], flux["defaults"]["num_outputs"]) == ("0.003", "0.003", 1)
    assert (await refused(web, "model", name="no name"))[0] == "model_not_found"


async def test_a_key_for_some_models_is_shown_these(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    secret = (await keys.add(anna, "flux", ["read", "submit"], By(), [FLUX])).secret
    headers = {"Authorization": f"Bearer {secret}"}
    assert [each["name"] for each in (await answered(web, "models", headers))["models"]] == [FLUX]
    assert (await refused(web, "generate", headers, prompt="a", model=SDXL))[0] == "model_not_allowed"


async def test_an_estimate_makes_nothing(web: httpx.AsyncClient) -> None:
    await limits.put("all", "1/day", By())
    found = await answered(web, "estimate", prompt="a fox", model=FLUX, parameters={"num_outputs": 4})
    assert (found["low"], found["high"], found["left"]["left"]) == ("0.012", "0.012", "1.00")
    unknown = await answered(web, "estimate", prompt="a fox", model=SDXL)
    assert (unknown["basis"], unknown["low"], unknown["high"]) == ("unknown", None, None)
    assert await Job.count() == 0


async def test_without_a_budget_nothing_is_said_to_be_left(web: httpx.AsyncClient) -> None:
    await factories.paid(image_output_count=4)
    assert await answered(web, "budget") == {"left": None, "spent_today": "0.012", "budgets": [], "pretend": True}


async def test_what_is_left_is_what_is_left_for_who_asks(web: httpx.AsyncClient) -> None:
    anna, ben = await factories.person("anna"), await factories.person("ben")
    headers = await factories.key_of(anna, "read")
    of_model = f"model:{FLUX}"
    for scope, amount in {
        "all": "5/day", "person:anna": "3/day", "key:anna/ci": "2/day", "person:ben": "1/day", of_model: "0.10/day",
    }.items():  # fmt: skip
        await limits.put(scope, amount, By())
    found = await answered(web, "budget", headers)
    assert found["left"] == "2.00"
    assert [(each["scope"], each["left"]) for each in found["budgets"]] == [
        ("all", "5.00"), ("person", "3.00"), ("key", "2.00"), ("model", "0.10"),
    ]  # fmt: skip
    assert (await answered(web, "budget", await factories.key_of(ben, "read")))["left"] == "1.00"


async def test_whole_jobs_are_answered_within_the_limits_of_agents(web: httpx.AsyncClient) -> None:
    """Some refuse what has more than 25,000 tokens, which is about 100,000 characters."""
    job = await factories.submitted("x" * 10_000, {"prompt_strength": 0.5}, metadata={"a": "y" * 500})
    result = await called(web, "job", job_id=str(job.id))
    assert len(text_of(result)) < 1_000
    assert len(json.dumps(result.structured_content)) < 20_000
