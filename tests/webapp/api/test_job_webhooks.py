"""A job or a batch with a `webhook` of its own tells that how it ended, signed with a secret that its owner can get."""

import json

import httpx
import pytest

from tasks.accounts.actors import Role
from tasks.db.tables import Batch, Job
from tasks.db.webhook_tables import WebhookDelivery
from tasks.jobs import bulk, lifecycle
from tasks.webhooks import signing
from tests import factories
from tests.tasks.outbox.hooks import deliveries
from tests.tasks.states import nothing

pytestmark = pytest.mark.usefixtures("standin")

HOOK = "https://own.example.org/hook?token=secret"
BAD = [
    "", "own.example.org", "ftp://own.example.org", "http://10.0.0.1/", "http://localhost:8000/",
    "https://own.example.org/" + "x" * 2000, 5, True, [], {}, "http://a/\0",
]  # fmt: skip


async def test_a_job_tells_its_webhook_how_it_ended(web: httpx.AsyncClient) -> None:
    answer = await web.post("/generate", json={"prompt": "a fox", "webhook": HOOK})
    assert answer.status_code == 202
    job_id = answer.json()["job_id"]
    await lifecycle.cancel(job_id)
    [delivery] = await deliveries()
    assert (delivery.url, delivery.type, str(delivery.job)) == (HOOK, "job.canceled", job_id)
    await lifecycle.retry(job_id)
    await lifecycle.cancel(job_id)
    assert len(await deliveries()) == 2


async def test_nobody_is_shown_the_webhook_of_a_job(web: httpx.AsyncClient) -> None:
    job_id = (await web.post("/generate", json={"prompt": "a fox", "webhook": HOOK})).json()["job_id"]
    for path in (f"/status/{job_id}", "/jobs.json", f"/jobs/{job_id}", "/"):
        assert "own.example.org" not in (await web.get(path)).text


async def test_a_job_that_is_deleted_has_none_any_more(web: httpx.AsyncClient) -> None:
    job_id = (await web.post("/generate", json={"prompt": "a fox", "webhook": HOOK})).json()["job_id"]
    await lifecycle.cancel(job_id)
    await lifecycle.delete(job_id)
    [job] = await Job.objects()
    assert nothing(job.webhook)


async def test_each_job_of_a_batch_tells_its_webhook_and_so_does_the_batch(web: httpx.AsyncClient) -> None:
    answer = await web.post("/batches", json={"prompt": "a {red|blue} fox", "webhook": HOOK})
    assert answer.status_code == 202
    [batch] = await Batch.objects()
    assert {job.webhook for job in await Job.objects()} == {HOOK}
    await bulk.cancel_batch(batch.id)
    told = [(one.type, one.url) for one in await deliveries()]
    assert sorted(told) == [("batch.ended", HOOK), ("job.canceled", HOOK), ("job.canceled", HOOK)]


@pytest.mark.parametrize("webhook", BAD, ids=lambda value: json.dumps(value)[:30])
async def test_what_nothing_can_be_sent_to_is_refused(web: httpx.AsyncClient, webhook: object) -> None:
    for path in ("/generate", "/batches"):
        answer = await web.post(path, json={"prompt": "a {red|blue} fox", "webhook": webhook})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_webhook")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["#/webhook"]
    assert not await Job.exists()


async def test_without_one_nothing_is_told(web: httpx.AsyncClient) -> None:
    for webhook in ({}, {"webhook": None}):
        job_id = (await web.post("/generate", json={"prompt": "a fox"} | webhook)).json()["job_id"]
        await lifecycle.cancel(job_id)
    assert not await WebhookDelivery.exists()


async def test_each_owner_has_a_secret_and_gets_only_that(web: httpx.AsyncClient) -> None:
    of_nobody = await web.get("/webhooks/secret")
    assert (of_nobody.status_code, of_nobody.headers["cache-control"]) == (200, "no-store")
    assert of_nobody.json() == {"key": await signing.secret_of_jobs(None)}
    found = {of_nobody.json()["key"]}
    for name, role in (("anna", Role.MEMBER), ("robot", Role.SERVICE)):
        someone = await factories.person(name, role)
        headers = await factories.key_of(someone, "submit")
        for _ in range(2):
            answer = await web.get("/webhooks/secret", headers=headers)
            assert answer.json() == {"key": await signing.secret_of_jobs(someone.id)}
        found.add(answer.json()["key"])
    assert len(found) == 3


async def test_it_is_rotated_on_the_page_and_programs_get_the_new_one(web: httpx.AsyncClient) -> None:
    anna = await factories.person()
    session, key = await factories.session_of(anna), await factories.key_of(anna, "submit")
    old = (await web.get("/webhooks/secret", headers=key)).json()["key"]
    page = await web.post("/webhooks/secret", headers=session)
    new = (await web.get("/webhooks/secret", headers=key)).json()["key"]
    assert new != old
    assert new in page.text
    assert await signing.secrets_of_jobs(anna.id) == [new, old]
